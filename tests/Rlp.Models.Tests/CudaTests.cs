using static TorchSharp.torch;

namespace Rlp.Models.Tests;

/// <summary>A GPU computes what the CPU computes, in float32 without TF32. Skipped where there is none.</summary>
public sealed class CudaTests
{
    /// <summary>Of a tensor's norm: sums are taken in another order, and the GPU's exponential is another one.</summary>
    private const double Rounding = 1e-5;

    public CudaTests() =>
        Assert.SkipUnless(cuda.is_available(), "no CUDA device: libtorch is the build without CUDA, or there is no GPU");

    public static TheoryData<string> Names => TinyModels.Names;

    [Theory]
    [MemberData(nameof(Names))]
    public void Hidden_states_and_gradients_of_sequences_that_share_prefixes_are_those_of_the_CPU(string name)
    {
        using var host = TinyModels.Random(name);
        using var device = OnDevice(host);
        foreach (var recomputes in new[] { false, true })
        {
            using var scope = NewDisposeScope();
            var (expected, expectedGradient) = Pass(host, CPU, recomputes);
            var (hidden, gradient) = Pass(device, CUDA, recomputes);

            AssertClose(expected, hidden);
            AssertClose(expectedGradient, gradient);
        }
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void A_forked_state_decodes_as_on_the_CPU_also_when_rows_are_given_up(string name)
    {
        using var noGradient = no_grad();
        using var host = TinyModels.Random(name);
        using var device = OnDevice(host);
        int[][] prefixes = [Ids(10, 1), Ids(1, 2), Ids(7, 3)];
        using PackedSequences hostPack = new(prefixes, CPU), devicePack = new(prefixes, CUDA);
        using DecoderState hostPrefixes = host.NewState(3, 10), devicePrefixes = device.NewState(3, 10);
        AssertClose(host.Hidden(hostPack, hostPrefixes), device.Hidden(devicePack, devicePrefixes));
        using DecoderState hostState = hostPrefixes.Fork(3, 9), deviceState = devicePrefixes.Fork(3, 9);
        foreach (var (step, kept) in new (int, int[]?)[] { (0, null), (1, null), (2, [0, 1, 4, 5, 7, 8]), (3, null), (4, [1, 2, 5]), (5, [1, 2]), (6, [0]) })
        {
            if (kept is not null)
            {
                hostState.Keep(kept);
                deviceState.Keep(kept);
            }
            var tokens = TinyModels.Tokens(hostState.Rows, 1, seed: step).squeeze(1);

            AssertClose(host.Decode(tokens, hostState), device.Decode(tokens.to(CUDA), deviceState));
        }
    }

    [Fact]
    public void An_arena_keeps_its_values_on_the_way_to_a_GPU_and_back_and_its_digest_tells_values_apart()
    {
        using var host = TinyModels.Random("nemotron MM*-");
        using var device = OnDevice(host);
        using var folder = new TemporaryFolder();
        var path = Path.Combine(folder.Path, "weights.safetensors");
        SafeTensors.Save(path, device.Parameters);
        using var back = new ParameterArena(host.Parameters.Layout, trainable: false);
        SafeTensors.Load(path, back);
        Assert.Equal(host.Parameters.Sha256(), back.Sha256());

        using var again = new ParameterArena(host.Parameters.Layout, trainable: false, CUDA);
        SafeTensors.Load(path, again);
        var digest = device.Parameters.Sha256();
        Assert.Equal(digest, again.Sha256());
        again.Values[7] = again.Values[7] * (1 + 1.2e-7f); // the next float32
        Assert.NotEqual(digest, again.Sha256());
    }

    private static IDecoder OnDevice(IDecoder host)
    {
        var parameters = new ParameterArena(host.Parameters.Layout, trainable: true, CUDA);
        parameters.CopyFrom(host.Parameters);
        return Decoder.Create(host.Config, parameters);
    }

    private static (Tensor Hidden, Tensor Gradient) Pass(IDecoder decoder, Device device, bool recomputes)
    {
        using var pack = new PackedSequences(
            [Ids(9, 1), Ids(4, 2), Ids(1, 3), Ids(6, 4), Ids(3, 5), Ids(2, 6), Ids(37, 7)], device, [-1, 0, 0, -1, 3, 0, -1]);
        decoder.RecomputesActivations = recomputes;
        decoder.Parameters.ZeroGradients();
        using var generator = new Generator(5);
        var hidden = decoder.Hidden(pack);
        (hidden * randn(pack.Total, decoder.Config.HiddenSize, generator: generator).to(device)).sum().backward();
        return (hidden.detach(), decoder.Parameters.Gradients!.clone());
    }

    private static int[] Ids(int length, int seed) => [.. TinyModels.Tokens(1, length, seed).data<long>().Select(id => (int)id)];

    private static void AssertClose(Tensor expected, Tensor actual) =>
        Assert.InRange(((actual.cpu() - expected).norm() / expected.norm()).item<float>(), 0, Rounding);
}
