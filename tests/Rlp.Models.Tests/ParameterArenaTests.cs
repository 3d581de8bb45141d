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
