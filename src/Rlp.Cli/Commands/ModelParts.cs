using Rlp.Models;

namespace Rlp.Cli.Commands;

/// <summary>Parameters by what they are for. A tied head has none of its own; the gated norm of a Mamba layer belongs to that layer.</summary>
internal sealed record ModelParts(long Embeddings, long Attention, long Mlp, long Mamba, long Norms, long Head)
{
    public long Total => Embeddings + Attention + Mlp + Mamba + Norms + Head;

    public static ModelParts Of(ArenaLayout layout)
    {
        var counts = layout.Slots.GroupBy(s => PartOf(s.Name)).ToDictionary(g => g.Key, g => g.Sum(s => s.Length));
        return new ModelParts(Count(Part.Embeddings), Count(Part.Attention), Count(Part.Mlp), Count(Part.Mamba), Count(Part.Norms), Count(Part.Head));

        long Count(Part part) => counts.GetValueOrDefault(part);
    }

    private enum Part
    {
        Embeddings, Attention, Mlp, Mamba, Norms, Head,
    }

    /// <param name="name">Hugging Face's: model.layers.0.self_attn.q_proj.weight, backbone.layers.0.mixer.A_log.</param>
    private static Part PartOf(string name)
    {
        var words = name.Split('.');
        var (module, tensor) = (words[^2], words[^1]);
        return module switch
        {
            "embed_tokens" or "embeddings" => Part.Embeddings,
            "lm_head" => Part.Head,
            "q_proj" or "k_proj" or "v_proj" or "o_proj" => Part.Attention,
            "gate_proj" or "up_proj" or "down_proj" => Part.Mlp,
            "in_proj" or "out_proj" or "conv1d" => Part.Mamba,
            "mixer" when tensor is "A_log" or "D" or "dt_bias" => Part.Mamba,
            "norm" when words.Contains("mixer") => Part.Mamba,
            "norm" or "norm_f" or "q_norm" or "k_norm" or "input_layernorm" or "post_attention_layernorm" => Part.Norms,
            _ => throw new ArgumentOutOfRangeException(nameof(name), name, "a tensor of no known part"),
        };
    }
}
