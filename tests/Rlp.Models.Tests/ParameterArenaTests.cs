using static TorchSharp.torch;

namespace Rlp.Models.Tests;

public sealed class ParameterArenaTests
{
    [Fact]
    public void Writing_the_flat_tensor_shows_in_the_leaves_and_their_gradients_gather_in_the_flat_gradient()
    {
        using var arena = new ParameterArena(TransformerDecoder.Layout(TinyModels.Config()), trainable: true);
        using (no_grad()) arena.Values.fill_(2);

        (arena["0.down"].sum() * 3).backward();

        var leaf = arena.Layout.Leaves.Single(l => l.Name == "0.down");
        Assert.Equal(2f * leaf.Length, arena["0.down"].sum().item<float>());
        Assert.Equal(3f * leaf.Length, arena.Gradients!.sum().item<float>());
        Assert.True(arena.Gradients.narrow(0, leaf.Offset, leaf.Length).eq(3).all().item<bool>());
        (arena["0.down"].sum() * 3).backward();
        Assert.Equal(6f * leaf.Length, arena.Gradients.sum().item<float>());
    }

    [Fact]
    public void A_trained_bfloat16_arena_keeps_its_parameters_in_float32_and_computes_with_the_nearest_values()
    {
        using var full = Arena(ScalarType.Float32, trainable: true);
        using var half = Arena(ScalarType.BFloat16, trainable: true);
        using var scoring = Arena(ScalarType.BFloat16, trainable: false);
        full.Initialize(7, 0.02);
        half.Initialize(7, 0.02);
        scoring.CopyFrom(half);

        Assert.Equal(full.Sha256(), half.Sha256());
        Assert.Equal((ScalarType.Float32, ScalarType.BFloat16, ScalarType.BFloat16), (half.Master.dtype, half.Dtype, half["0.down"].dtype));
        Assert.Equal(full.Values.to(ScalarType.BFloat16).to(float32).data<float>(), half.Values.to(float32).data<float>());
        Assert.Equal(half.Values.to(float32).data<float>(), scoring.Values.to(float32).data<float>());

        using (no_grad()) half.Master.mul_(1 + (1.0 / 4096)); // less than half a step of eight bits
        half.RoundMaster();
        Assert.NotEqual(full.Sha256(), half.Sha256());
    }

    [Fact]
    public void A_file_fills_the_float32_parameters_of_a_bfloat16_arena_and_is_written_from_them()
    {
        using var folder = new TemporaryFolder();
        using var full = Arena(ScalarType.Float32, trainable: false);
        using var half = Arena(ScalarType.BFloat16, trainable: true);
        full.Initialize(7, 0.02);
        SafeTensors.Save(folder["full"], full);
        SafeTensors.Load(folder["full"], half);
        SafeTensors.Save(folder["again"], half);

        Assert.Equal(full.Sha256(), half.Sha256());
        Assert.Equal(full.Values.to(ScalarType.BFloat16).to(float32).data<float>(), half.Values.to(float32).data<float>());
        Assert.Equal(File.ReadAllBytes(folder["full"]), File.ReadAllBytes(folder["again"]));
    }

    [Fact]
    public void Gradients_of_bfloat16_passes_add_up_in_float32()
    {
        using var arena = Arena(ScalarType.BFloat16, trainable: true);
        for (var pass = 0; pass < 300; pass++) // in bfloat16 a sum of ones stands still at 256
        {
            arena["0.down"].sum().backward();
            arena.GatherGradients();
        }

        var leaf = arena.Layout.Leaves.Single(l => l.Name == "0.down");
        Assert.True(arena.Gradients!.narrow(0, leaf.Offset, leaf.Length).eq(300).all().item<bool>());
        Assert.Equal(300f * leaf.Length, arena.Gradients.sum().item<float>());
        arena["0.down"].sum().backward();
        arena.ZeroGradients(); // what was not gathered goes as well
        arena.GatherGradients();
        Assert.Equal(0f, arena.Gradients.abs().sum().item<float>());
    }

    private static ParameterArena Arena(ScalarType dtype, bool trainable) =>
        new(TransformerDecoder.Layout(TinyModels.Config()), trainable, dtype: dtype);

    [Fact]
    public void Leaves_lie_apart_on_64_byte_boundaries_and_matrices_come_first()
    {
        var layout = TransformerDecoder.Layout(TinyModels.Config(heads: 3, kvHeads: 1, headDim: 8, tied: false));
        long end = 0;
        foreach (var leaf in layout.Leaves)
        {
            Assert.Equal(0, leaf.Offset % 16);
            Assert.True(leaf.Offset >= end);
            Assert.Equal(leaf.Shape.Length == 2, leaf.Offset < layout.DecayedLength);
            end = leaf.Offset + leaf.Length;
        }
        Assert.True(end <= layout.Length);
        Assert.Equal(layout.Leaves.Sum(l => l.Length), layout.ParameterCount);
    }

    [Fact]
    public void Initial_weights_are_a_function_of_the_seed()
    {
        string Digest(long seed)
        {
            using var arena = new ParameterArena(TransformerDecoder.Layout(TinyModels.Config()), trainable: false);
            arena.Initialize(seed, 0.02);
            return arena.Sha256();
        }

        Assert.Equal(Digest(7), Digest(7));
        Assert.NotEqual(Digest(7), Digest(8));
    }
}
