using static TorchSharp.torch;

namespace Rlp.Models.Tests.Weights;

/// <summary>A layout as networks make them: fused matrices, a head that may be tied, vectors.</summary>
internal static class TinyLayout
{
    public const string Embedding = "model.embed_tokens.weight", Head = "lm_head.weight", Norm = "model.norm.weight";
    public const string Down = "model.layers.0.mlp.down_proj.weight";

    public static ArenaLayout Make(bool tied = true)
    {
        var layout = new ArenaLayout();
        layout.AddMatrix("embed", 5, (Embedding, 11));
        layout.AddMatrix("0.qkv", 5, ("model.layers.0.self_attn.q_proj.weight", 6), ("model.layers.0.self_attn.k_proj.weight", 3), ("model.layers.0.self_attn.v_proj.weight", 3));
        layout.AddMatrix("0.down", 7, (Down, 5));
        if (!tied) layout.AddMatrix("head", 5, (Head, 11));
        layout.AddVector("model.layers.0.input_layernorm.weight", 5);
        layout.AddVector(Norm, 5);
        return layout;
    }

    /// <summary>An arena of random values, also in the vectors.</summary>
    public static ParameterArena Random(ArenaLayout layout, long seed = 1, ScalarType dtype = ScalarType.Float32)
    {
        using var noGradient = no_grad();
        using var generator = new Generator((ulong)seed);
        var arena = new ParameterArena(layout, trainable: false, dtype: dtype);
        foreach (var slot in layout.Slots)
        {
            using var view = arena.View(slot);
            using var values = randn(slot.Shape, generator: generator);
            view.copy_(values);
        }
        return arena;
    }

    public static float[] Values(ParameterArena arena, string slot)
    {
        using var view = arena.View(arena.Layout.Slots.Single(s => s.Name == slot));
        using var values = view.to(float32);
        return [.. values.data<float>()];
    }
}
