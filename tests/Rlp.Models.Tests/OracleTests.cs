using static TorchSharp.torch;

namespace Rlp.Models.Tests;

/// <summary>Log-probabilities that llama.cpp computed for random and for trained models (shared/oracles/README.md).</summary>
public sealed class OracleTests(ITestOutputHelper output)
{
    public static TheoryData<string> Names =>
    [
        "logprobs/qwen3-untied", "logprobs/qwen3-tied", "logprobs/qwen3-one-kv-head", "logprobs/nemotron-h-mamba", "logprobs/nemotron-h-attention",
        "logprobs/nemotron-h-mamba-mlp", "logprobs/nemotron-h-hybrid", "pretrained/stories260K", "pretrained/babyllama105",
    ];

    [Theory]
    [MemberData(nameof(Names))]
    public void Log_probabilities_of_a_full_pass_agree_with_an_independent_program(string name)
    {
        using var noGradient = no_grad();
        using var oracle = new SharedOracle(name);
        AssertClose(oracle, oracle.Decoder.Hidden(tensor(oracle.Ids).unsqueeze(0)));
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Log_probabilities_through_the_state_agree_with_an_independent_program(string name)
    {
        using var noGradient = inference_mode();
        using var oracle = new SharedOracle(name);
        var ids = tensor(oracle.Ids).unsqueeze(0);
        using var state = oracle.Decoder.NewState(1, (int)ids.shape[1]);
        List<Tensor> parts = [oracle.Decoder.Hidden(ids.narrow(1, 0, 37), state), oracle.Decoder.Hidden(ids.narrow(1, 37, 41), state)];
        for (var t = state.Lengths[0]; t < ids.shape[1]; t++) parts.Add(oracle.Decoder.Hidden(ids.narrow(1, t, 1), state));
        AssertClose(oracle, cat(parts, 1));
    }

    [Theory]
    [InlineData("pretrained/stories260K")]
    [InlineData("pretrained/babyllama105")]
    public void A_trained_model_continues_as_it_does_in_an_independent_program(string name)
    {
        using var noGradient = inference_mode();
        using var oracle = new SharedOracle(name);
        using var state = oracle.Decoder.NewState(1, oracle.Ids.Length);
        List<long> tokens = [1];
        while (tokens.Count < oracle.Ids.Length)
            tokens.Add(oracle.Decoder.Logits(oracle.Decoder.Hidden(tensor([tokens[^1]]).view(1, 1), state)).argmax(-1).item<long>());

        Assert.Equal(oracle.Ids, tokens);
    }

    private void AssertClose(SharedOracle oracle, Tensor hidden)
    {
        var difference = (nn.functional.log_softmax(oracle.Decoder.Logits(hidden), -1)[0] - oracle.LogProbabilities).abs();
        var summary = $"largest difference {difference.max().item<float>():e2}, mean {difference.mean().item<float>():e2} over {difference.numel()} log-probabilities";
        output.WriteLine(summary);
        Assert.True(difference.max().item<float>() <= 1e-4, summary);
    }
}
