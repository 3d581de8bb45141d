using static TorchSharp.torch;

namespace Rlp.Models.Tests;

public sealed class Qwen3DecoderTests
{
    public static TheoryData<int, int, int, bool> Shapes => new()
    {
        { 4, 2, 6, true },
        { 4, 4, 6, false },
        { 3, 1, 8, false }, // odd head count, one KV head, heads * headDim above hidden
        { 1, 1, 2, true },
    };

    [Theory]
    [MemberData(nameof(Shapes))]
    public void Decoding_token_by_token_agrees_with_one_full_pass(int heads, int kvHeads, int headDim, bool tied)
    {
        using var noGradient = no_grad();
        using var decoder = TinyModels.Random(TinyModels.Config(heads, kvHeads, headDim, tied));
        var tokens = TinyModels.Tokens(3, 17);
        var full = decoder.Logits(decoder.Hidden(tokens));

        using var cache = new KeyValueCache(decoder.Config, 3, 17);
        var steps = cat(Enumerable.Range(0, 17).Select(t => decoder.Hidden(tokens.narrow(1, t, 1), cache)).ToArray(), 1);

        Assert.True(TinyModels.LargestDifference(full, decoder.Logits(steps)) <= 1e-5);
    }

    [Theory]
    [InlineData(1, 5, 11)]
    [InlineData(9, 8)]
    public void Prefill_in_chunks_agrees_with_one_full_pass(params int[] chunks)
    {
        using var noGradient = no_grad();
        using var decoder = TinyModels.Random(TinyModels.Config());
        var tokens = TinyModels.Tokens(2, 17);
        using var cache = new KeyValueCache(decoder.Config, 2, 17);
        var parts = new List<Tensor>();
        var at = 0;
        foreach (var chunk in chunks)
        {
            parts.Add(decoder.Hidden(tokens.narrow(1, at, chunk), cache));
            at += chunk;
        }

        Assert.True(TinyModels.LargestDifference(decoder.Hidden(tokens), cat(parts, 1)) <= 1e-5);
    }

    [Fact]
    public void Rows_padded_at_the_left_decode_as_they_do_alone()
    {
        using var noGradient = no_grad();
        using var decoder = TinyModels.Random(TinyModels.Config());
        int[] padding = [0, 4, 7];
        var tokens = TinyModels.Tokens(3, 12);
        using var cache = new KeyValueCache(decoder.Config, 3, 12);
        var prefill = decoder.Hidden(tokens.narrow(1, 0, 9), cache, padding);
        var steps = cat(Enumerable.Range(9, 3).Select(t => decoder.Hidden(tokens.narrow(1, t, 1), cache)).Prepend(prefill).ToArray(), 1);

        Assert.False(steps.isnan().any().item<bool>());
        for (var row = 0; row < 3; row++)
        {
            var alone = decoder.Hidden(tokens.narrow(0, row, 1).narrow(1, padding[row], 12 - padding[row]));
            Assert.True(TinyModels.LargestDifference(alone, steps.narrow(0, row, 1).narrow(1, padding[row], 12 - padding[row])) <= 1e-5);
        }
    }

    [Fact]
    public void Padding_at_the_right_changes_no_real_position()
    {
        using var noGradient = no_grad();
        using var decoder = TinyModels.Random(TinyModels.Config());
        var tokens = TinyModels.Tokens(1, 9);
        var padded = cat([tokens, TinyModels.Tokens(1, 5, seed: 9)], 1);

        Assert.True(TinyModels.LargestDifference(decoder.Hidden(tokens), decoder.Hidden(padded).narrow(1, 0, 9)) <= 1e-5);
    }

    [Fact]
    public void A_repeated_cache_continues_every_copy_alike()
    {
        using var noGradient = no_grad();
        using var decoder = TinyModels.Random(TinyModels.Config());
        var prefix = TinyModels.Tokens(2, 6);
        var next = TinyModels.Tokens(6, 1, seed: 5); // three continuations of each row
        using var cache = new KeyValueCache(decoder.Config, 2, 6);
        decoder.Hidden(prefix, cache);
        using var repeated = cache.Repeat(3, 7);

        var hidden = decoder.Hidden(next, repeated);

        var full = decoder.Hidden(cat([prefix.repeat_interleave(3, 0), next], 1)).narrow(1, 6, 1);
        Assert.True(TinyModels.LargestDifference(full, hidden) <= 1e-5);
    }

    [Fact]
    public void A_full_cache_refuses_another_token()
    {
        using var noGradient = no_grad();
        using var decoder = TinyModels.Random(TinyModels.Config());
        using var cache = new KeyValueCache(decoder.Config, 1, 4);
        decoder.Hidden(TinyModels.Tokens(1, 4), cache);

        Assert.Contains("4 of 4", Assert.Throws<InvalidOperationException>(() => decoder.Hidden(TinyModels.Tokens(1, 1), cache)).Message);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Gradients_agree_with_finite_differences(bool tied)
    {
        using var decoder = TinyModels.Random(TinyModels.Config(tied: tied));
        var parameters = decoder.Parameters;
        var tokens = TinyModels.Tokens(2, 7);
        parameters.ZeroGradients();
        Loss().backward();

        // A step along the gradient itself: the strongest signal against float32 rounding. Per leaf, so that each kind of layer is looked at.
        using var noGradient = no_grad();
        foreach (var leaf in parameters.Layout.Leaves)
        {
            var values = parameters.Values.narrow(0, leaf.Offset, leaf.Length);
            var direction = parameters.Gradients!.narrow(0, leaf.Offset, leaf.Length).clone();
            var norm = direction.norm().item<float>();
            Assert.True(norm > 1e-4, $"{leaf.Name} has no gradient");
            direction.div_(norm);
            const float h = 1e-2f;
            var saved = values.clone();
            values.add_(direction, h);
            var above = Loss().item<float>();
            values.copy_(saved).add_(direction, -h);
            var below = Loss().item<float>();
            values.copy_(saved);
            Assert.Equal(norm, (above - below) / (2 * h), norm * 0.03 + 2e-4);
        }

        Tensor Loss() => nn.functional.cross_entropy(decoder.Logits(decoder.Hidden(tokens)).narrow(1, 0, 6).flatten(0, 1), tokens.narrow(1, 1, 6).flatten());
    }

    [Fact]
    public void A_tied_embedding_is_one_parameter_and_counts_once_as_output_head()
    {
        var tied = Qwen3Decoder.Layout(TinyModels.Config(tied: true));
        var untied = Qwen3Decoder.Layout(TinyModels.Config(tied: false));

        Assert.Equal(23 * 20, untied.ParameterCount - tied.ParameterCount);
        using var a = TinyModels.Random(TinyModels.Config(tied: true));
        using var b = TinyModels.Random(TinyModels.Config(tied: false));
        Assert.Equal(a.MatrixParameters, b.MatrixParameters);
    }
}
