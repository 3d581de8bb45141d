using Rlp.Models.Kernels;
using static TorchSharp.torch;

namespace Rlp.Models.Tests;

/// <summary>What holds for every architecture.</summary>
public class DecoderTests
{
    /// <summary>One token, and around the borders of the scan's chunks.</summary>
    private static readonly int[] Lengths = [1, TinyModels.Chunk - 1, TinyModels.Chunk, TinyModels.Chunk + 1, (3 * TinyModels.Chunk) + 5];

    public static TheoryData<string> Names => TinyModels.Names;

    [Theory]
    [MemberData(nameof(Names))]
    public void Logits_are_what_the_definition_of_the_architecture_says(string name)
    {
        using var noGradient = no_grad();
        using var decoder = TinyModels.Random(name);
        var plain = new PlainDecoder(decoder.Config, decoder.Parameters);
        var tokens = TinyModels.Tokens(1, (3 * TinyModels.Chunk) + 5);

        var expected = plain.Hidden(tokens.data<long>().ToArray()).SelectMany(plain.Logits).ToArray();

        Assert.Equal(0, TinyModels.LargestDifference(tensor(expected).view(-1, 23), decoder.Logits(decoder.Hidden(tokens))[0].to(float64)), 1e-5);
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Decoding_token_by_token_agrees_with_one_full_pass(string name)
    {
        using var noGradient = no_grad();
        using var decoder = TinyModels.Random(name);
        foreach (var length in Lengths)
        {
            var tokens = TinyModels.Tokens(3, length);
            using var state = decoder.NewState(3, length);
            var steps = cat(Enumerable.Range(0, length).Select(t => decoder.Hidden(tokens.narrow(1, t, 1), state)).ToArray(), 1);

            Assert.Equal(0, TinyModels.LargestDifference(decoder.Logits(decoder.Hidden(tokens)), decoder.Logits(steps)), 1e-5);
        }
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Prefill_in_pieces_agrees_with_one_full_pass(string name)
    {
        using var noGradient = no_grad();
        using var decoder = TinyModels.Random(name);
        var tokens = TinyModels.Tokens(2, 29);
        var full = decoder.Logits(decoder.Hidden(tokens));
        foreach (var pieces in new int[][] { [1, 5, 23], [9, 8, 1, 11], [2, 1, 1, 25], [29] })
        {
            using var state = decoder.NewState(2, 29);
            var parts = new List<Tensor>();
            foreach (var piece in pieces) parts.Add(decoder.Hidden(tokens.narrow(1, state.Lengths[0], piece), state));

            Assert.Equal(0, TinyModels.LargestDifference(full, decoder.Logits(cat(parts, 1))), 1e-5);
        }
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Packed_sequences_give_what_each_gives_alone(string name)
    {
        using var noGradient = no_grad();
        using var decoder = TinyModels.Random(name);
        int[][] sequences = [Ids(9, 1), Ids(1, 2), Ids(20, 3), Ids(5, 4)];
        using var pack = new PackedSequences(sequences, CPU);

        AssertClose(cat([.. sequences.Select(s => Alone(decoder, s))]), decoder.Hidden(pack));
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void A_sequence_that_continues_another_gives_what_both_give_as_one(string name)
    {
        using var noGradient = no_grad();
        using var decoder = TinyModels.Random(name);
        foreach (var (sequences, continues) in Trees())
        {
            using var pack = new PackedSequences(sequences, CPU, continues);
            var expected = sequences.Select((s, i) => continues[i] < 0 ? Alone(decoder, s) : Alone(decoder, [.. sequences[continues[i]], .. s])[^s.Length..]);

            AssertClose(cat([.. expected]), decoder.Hidden(pack));
        }
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void The_gradient_through_a_shared_prefix_is_that_of_separate_sequences(string name)
    {
        using var decoder = TinyModels.Random(name);
        foreach (var (sequences, continues) in Trees())
        {
            using var scope = NewDisposeScope();
            using var pack = new PackedSequences(sequences, CPU, continues);
            var weights = randn(pack.Total, decoder.Config.HiddenSize, generator: new Generator(5));
            decoder.Parameters.ZeroGradients();
            (decoder.Hidden(pack) * weights).sum().backward();
            var shared = decoder.Parameters.Gradients!.clone();

            decoder.Parameters.ZeroGradients();
            for (var i = 0; i < sequences.Length; i++)
            {
                int[] whole = continues[i] < 0 ? sequences[i] : [.. sequences[continues[i]], .. sequences[i]];
                var hidden = decoder.Hidden(tensor([.. whole.Select(t => (long)t)]).unsqueeze(0))[0];
                (hidden[^sequences[i].Length..] * weights.narrow(0, pack.Starts[i], sequences[i].Length)).sum().backward();
            }
            var difference = (shared - decoder.Parameters.Gradients!).norm() / decoder.Parameters.Gradients!.norm();
            Assert.InRange(difference.item<float>(), 0, 1e-6f);
        }
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Recomputed_activations_give_the_same_gradient(string name)
    {
        using var decoder = TinyModels.Random(name);
        var gradients = new List<Tensor>();
        foreach (var recomputes in new[] { false, true })
        {
            using var scope = NewDisposeScope();
            decoder.RecomputesActivations = recomputes;
            using var pack = new PackedSequences([Ids(9, 1), Ids(4, 2), Ids(6, 3)], CPU, [-1, 0, 0]);
            decoder.Parameters.ZeroGradients();
            decoder.Hidden(pack).square().sum().backward();
            gradients.Add(decoder.Parameters.Gradients!.clone().DetachFromDisposeScope());
        }
        Assert.True(gradients[0].norm().item<float>() > 1);
        Assert.Equal(0, TinyModels.LargestDifference(gradients[0], gradients[1]), 1e-6 * gradients[0].abs().max().item<float>());
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Rows_of_different_lengths_decode_as_they_do_alone(string name)
    {
        using var noGradient = no_grad();
        using var decoder = TinyModels.Random(name);
        int[][] rows = [Ids(13, 1), Ids(2, 2), Ids(9, 3), Ids(1, 4)];
        int[][] more = [Ids(1, 5), Ids(7, 6), Ids(3, 7), Ids(2, 8)];
        var next = TinyModels.Tokens(4, 5, seed: 9);
        using var state = decoder.NewState(4, 20);
        using PackedSequences first = new(rows, CPU), second = new(more, CPU);
        decoder.Hidden(first, state);
        decoder.Hidden(second, state);
        for (var t = 0; t < 5; t++)
        {
            var logits = decoder.Decode(next.select(1, t), state);
            for (var row = 0; row < 4; row++)
            {
                int[] whole = [.. rows[row], .. more[row], .. next[row].narrow(0, 0, t + 1).data<long>().Select(id => (int)id)];
                AssertClose(decoder.Logits(Alone(decoder, whole)[^1]), logits[row]);
            }
        }
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Padding_at_the_right_changes_no_real_position(string name)
    {
        using var noGradient = no_grad();
        using var decoder = TinyModels.Random(name);
        var tokens = TinyModels.Tokens(1, 9);
        var hidden = decoder.Hidden(tokens);
        foreach (var (padding, seed) in new[] { (5, 9), (5, 10), (24, 11) })
        {
            var padded = decoder.Hidden(cat([tokens, TinyModels.Tokens(1, padding, seed)], 1));
            Assert.Equal(0, TinyModels.LargestDifference(hidden, padded.narrow(1, 0, 9)), 1e-5);
        }
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void A_forked_state_continues_as_separate_rows_do_also_when_rows_are_given_up(string name)
    {
        using var noGradient = no_grad();
        using var decoder = TinyModels.Random(name);
        int[][] prefixes = [Ids(10, 1), Ids(1, 2), Ids(7, 3)];
        using var pack = new PackedSequences(prefixes, CPU);
        using var state = decoder.NewState(3, 10);
        decoder.Hidden(pack, state);
        using var forked = state.Fork(3, 9);
        List<List<int>> rows = [.. Enumerable.Range(0, 9).Select(row => prefixes[row / 3].ToList())];
        foreach (var (step, kept) in new (int, int[]?)[] { (0, null), (1, null), (2, [0, 1, 4, 5, 7, 8]), (3, null), (4, [1, 2, 5]), (5, [1, 2]), (6, [0]) })
        {
            if (kept is not null)
            {
                forked.Keep(kept);
                rows = [.. kept.Select(row => rows[row])];
            }
            var tokens = TinyModels.Tokens(rows.Count, 1, seed: step).squeeze(1);
            for (var row = 0; row < rows.Count; row++) rows[row].Add((int)tokens[row].item<long>());

            var logits = decoder.Decode(tokens, forked);

            Assert.Equal(rows.Count, logits.shape[0]);
            for (var row = 0; row < rows.Count; row++) AssertClose(decoder.Logits(Alone(decoder, [.. rows[row]])[^1]), logits[row]);
        }
        // Several tokens at once, and another fork of what has not moved.
        using var again = state.Fork(1, 4);
        int[][] following = [Ids(4, 6), Ids(1, 7), Ids(2, 8)];
        using var more = new PackedSequences(following, CPU);
        AssertClose(cat([.. following.Select((f, i) => Alone(decoder, [.. prefixes[i], .. f])[^f.Length..])]), decoder.Hidden(more, again));
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Many_rows_at_once_decode_as_they_do_alone(string name)
    {
        using var noGradient = no_grad();
        using var decoder = TinyModels.Random(name);
        int[][] prefixes = [Ids(6, 1), Ids(17, 2)];
        using var pack = new PackedSequences(prefixes, CPU);
        using var state = decoder.NewState(2, 17);
        decoder.Hidden(pack, state);
        using var forked = state.Fork(37, 3); // enough for each thread to take whole rows, and odd
        var first = TinyModels.Tokens(74, 1, seed: 3).squeeze(1);
        var second = TinyModels.Tokens(74, 1, seed: 4).squeeze(1);
        decoder.Decode(first, forked);
        var logits = decoder.Decode(second, forked);
        foreach (var row in new[] { 0, 1, 35, 36, 37, 38, 73 })
        {
            int[] whole = [.. prefixes[row / 37], (int)first[row].item<long>(), (int)second[row].item<long>()];
            AssertClose(decoder.Logits(Alone(decoder, whole)[^1]), logits[row]);
        }
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void A_new_state_decodes_with_the_parameters_as_they_are_then(string name)
    {
        using var noGradient = no_grad();
        using var decoder = TinyModels.Random(name);
        var tokens = tensor(new long[] { 3, 5 });
        using (var before = decoder.NewState(2, 1)) decoder.Decode(tokens, before);
        decoder.Parameters.Values.mul_(1.1);
        using var state = decoder.NewState(2, 1);

        AssertClose(decoder.Logits(decoder.Hidden(tokens.unsqueeze(1))).squeeze(1), decoder.Decode(tokens, state));
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void A_full_state_refuses_another_token_and_is_left_as_it_was(string name)
    {
        using var noGradient = no_grad();
        using var decoder = TinyModels.Random(name);
        using var state = decoder.NewState(1, 4);
        decoder.Hidden(TinyModels.Tokens(1, 3), state);

        Assert.Contains("3 of 4", Assert.Throws<InvalidOperationException>(() => decoder.Hidden(TinyModels.Tokens(1, 2), state)).Message);
        Assert.Contains("rows", Assert.Throws<ArgumentException>(() => decoder.Hidden(TinyModels.Tokens(2, 1), state)).Message);
        Assert.Throws<ArgumentOutOfRangeException>(() => state.Fork(0, 2));
        Assert.Equal([3], state.Lengths);
        var last = decoder.Hidden(TinyModels.Tokens(1, 1, seed: 7), state);
        var full = decoder.Hidden(cat([TinyModels.Tokens(1, 3), TinyModels.Tokens(1, 1, seed: 7)], 1));
        Assert.Equal(0, TinyModels.LargestDifference(full.narrow(1, 3, 1), last), 1e-5);
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void A_later_token_changes_no_earlier_position_and_every_earlier_token_matters(string name)
    {
        using var noGradient = no_grad();
        using var decoder = TinyModels.Random(name);
        var tokens = TinyModels.Tokens(1, 20);
        var hidden = decoder.Hidden(tokens);
        foreach (var changed in new[] { 0, 7, 8, 19 })
        {
            var other = tokens.clone();
            other[0, changed] = (other[0, changed] + 1) % 23;
            var differences = (decoder.Hidden(other) - hidden).abs().amax([-1]).flatten().data<float>().ToArray();
            Assert.All(differences[..changed], d => Assert.Equal(0, d, 1e-6));
            Assert.All(differences[changed..Math.Min(20, changed + 4)], d => Assert.True(d > 1e-6, $"token {changed} is not seen"));
        }
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Gradients_agree_with_finite_differences(string name)
    {
        using var decoder = TinyModels.Random(name);
        var parameters = decoder.Parameters;
        var tokens = TinyModels.Tokens(2, TinyModels.Chunk + 4);
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
            var h = 5e-3 / Math.Max(norm, 0.5); // a change of the loss well above rounding
            var saved = values.clone();
            var difference = ((4 * Slope(h / 2)) - Slope(h)) / 3; // the curvature of third order drops out
            Assert.True(Math.Abs(norm - difference) <= (norm * 0.01) + 2e-4, $"{leaf.Name}: {norm} by backward, {difference} by differences");

            double Slope(double step)
            {
                values.copy_(saved).add_(direction, step);
                var above = Loss().item<double>();
                values.copy_(saved).add_(direction, -step);
                var below = Loss().item<double>();
                values.copy_(saved);
                return (above - below) / (2 * step);
            }
        }

        Tensor Loss()
        {
            var length = tokens.shape[1] - 1;
            var logits = decoder.Logits(decoder.Hidden(tokens)).narrow(1, 0, length).flatten(0, 1).to(float64);
            return nn.functional.cross_entropy(logits, tokens.narrow(1, 1, length).flatten());
        }
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Matrices_are_decayed_and_norms_biases_convolutions_and_recurrence_parameters_are_not(string name)
    {
        var layout = Decoder.Layout(TinyModels.Configs[name]);
        Assert.All(layout.Slots, slot =>
        {
            var matrix = slot.Name.EndsWith(".weight", StringComparison.Ordinal) && !slot.Name.Contains("norm") && !slot.Name.Contains("conv1d");
            Assert.Equal(matrix, slot.Offset < layout.DecayedLength);
        });
    }

    [Fact]
    public void A_tied_embedding_is_one_parameter_and_counts_once_as_output_head()
    {
        foreach (var config in TinyModels.Configs.Values)
        {
            using var tied = TinyModels.Random(config with { TieWordEmbeddings = true });
            using var untied = TinyModels.Random(config with { TieWordEmbeddings = false });

            Assert.Equal(23 * 20, untied.Parameters.Layout.ParameterCount - tied.Parameters.Layout.ParameterCount);
            Assert.Equal(tied.Costs, untied.Costs);
        }
    }

    [Fact]
    public void Costs_count_what_each_kind_of_layer_does()
    {
        using var qwen3 = TinyModels.Random("qwen3");
        Assert.Equal(new DecoderCosts((23 * 20) + (2 * ((2 * 24 * 20) + (2 * 12 * 20) + (3 * 28 * 20))), 2 * 4 * 6, 0), qwen3.Costs);

        using var nemotron = TinyModels.Random("nemotron MM*-");
        // Per Mamba layer: 24 channels, 4 groups of state 5, 4 heads; the state's entries five times, four taps of 64 channels.
        const int mamba = ((24 + 64 + 4) * 20) + (24 * 20);
        const int matrices = (23 * 20) + (2 * mamba) + (2 * 24 * 20) + (2 * 12 * 20) + (2 * 28 * 20);
        Assert.Equal(new DecoderCosts(matrices, 4 * 6, 2 * ((5 * 24 * 5) + (2 * 4 * 64))), nemotron.Costs);
    }

    [Fact]
    public void Mamba_layers_begin_with_decays_from_one_to_the_number_of_heads_and_small_time_steps()
    {
        var config = TinyModels.Nemotron("MM*-") with { MambaHeads = 64, InitializerRange = 0.02 };
        using var parameters = new ParameterArena(Decoder.Layout(config), trainable: false);
        using var decoder = Decoder.Create(config, parameters);
        decoder.Initialize(3);

        Assert.Equal(0, TinyModels.LargestDifference(parameters["backbone.layers.1.mixer.A_log"].exp(), arange(1, 65)), 1e-4);
        var steps = nn.functional.softplus(parameters["backbone.layers.0.mixer.dt_bias"]);
        Assert.InRange(steps.min().item<float>(), 0.000999f, 0.002f);
        Assert.InRange(steps.max().item<float>(), 0.05f, 0.1001f);
        Assert.Equal(0.02 / 2, parameters["backbone.layers.0.mixer.out_proj.weight"].std().item<float>(), 0.001);
        Assert.Equal(0, parameters["backbone.layers.0.mixer.conv1d.bias"].abs().max().item<float>());
        Assert.InRange(parameters["backbone.layers.0.mixer.conv1d.weight"].abs().max().item<float>(), 0.45f, 0.5f);
        var digest = parameters.Sha256();
        decoder.Initialize(3);
        Assert.Equal(digest, parameters.Sha256());
    }

    [Theory]
    [MemberData(nameof(TinyModels.Names), MemberType = typeof(TinyModels))]
    public void The_bytes_of_a_state_are_known_before_it_is_made(string name)
    {
        using var decoder = TinyModels.Random(name, trainable: false);
        using var state = decoder.NewState(3, 17);
        Assert.True(state.Bytes > 0);
        Assert.Equal(state.Bytes, decoder.Config.StateBytes(3, 17, sizeof(float)));
    }

    /// <summary>Two prefixes with continuations, and a sequence that stands alone; one prefix longer than a tile of queries.</summary>
    private static IEnumerable<(int[][] Sequences, int[] Continues)> Trees() =>
    [
        ([Ids(9, 1), Ids(4, 2), Ids(1, 3), Ids(6, 4), Ids(3, 5), Ids(2, 6), Ids(5, 7)], [-1, 0, 0, -1, 3, 0, -1]),
        ([Ids(3, 1), Ids(70, 2), Ids(70, 3), Ids(33, 4)], [1, -1, 1, -1]),
    ];

    private static int[] Ids(int length, int seed) => [.. TinyModels.Tokens(1, length, seed).data<long>().Select(id => (int)id)];

    private static Tensor Alone(IDecoder decoder, int[] sequence) => decoder.Hidden(tensor([.. sequence.Select(t => (long)t)]).unsqueeze(0))[0];

    private static void AssertClose(Tensor expected, Tensor actual)
    {
        Assert.False(actual.isnan().any().item<bool>());
        Assert.Equal(0, TinyModels.LargestDifference(expected, actual), 2e-5);
    }
}

/// <summary>The same without the kernels of this system: what runs on CUDA, in bfloat16 and elsewhere.</summary>
public sealed class DecoderByOperationsTests : DecoderTests, IDisposable
{
    private readonly IDisposable refusal = CpuKernels.Refuse();

    public void Dispose() => refusal.Dispose();
}
