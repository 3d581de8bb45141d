using System.Runtime.InteropServices;
using System.Text;
using Rlp.Models;

namespace Rlp.Benchmarks;

/// <summary>
/// Writes a Qwen3 decoder as GGUF version 3 (ggml/include/gguf.h of llama.cpp), float32, without a vocabulary: what a peer needs to compute
/// with the same weights, no more.
/// </summary>
internal static class GgufFile
{
    private const int Alignment = 32;

    private enum ValueType
    {
        UInt32 = 4,
        Float32 = 6,
        String = 8,
    }

    public static void Write(string path, Qwen3Config config, ParameterArena parameters)
    {
        using var file = new BinaryWriter(File.Create(path), Encoding.UTF8);
        var metadata = Metadata(config);
        file.Write("GGUF"u8);
        file.Write(3);
        file.Write((long)parameters.Layout.Slots.Count);
        file.Write((long)metadata.Count);
        foreach (var (key, value) in metadata) WriteValue(file, key, value);
        long offset = 0;
        foreach (var slot in parameters.Layout.Slots)
        {
            WriteText(file, TensorName(slot.Name));
            file.Write(slot.Shape.Length);
            foreach (var size in slot.Shape.Reverse()) file.Write(size); // the fastest dimension first
            file.Write(0); // float32
            file.Write(offset);
            offset = Aligned(offset + (slot.Length * sizeof(float)));
        }
        foreach (var slot in parameters.Layout.Slots)
        {
            Pad(file);
            using var view = parameters.View(slot);
            file.Write(MemoryMarshal.AsBytes<float>(view.data<float>().ToArray()));
        }
        Pad(file);
    }

    /// <summary>llama.cpp's name of a tensor that Hugging Face calls <paramref name="name"/>.</summary>
    public static string TensorName(string name)
    {
        var parts = name.Split('.');
        if (parts is not ["model", "layers", var layer, .. var rest])
            return name switch
            {
                "model.embed_tokens.weight" => "token_embd.weight",
                "model.norm.weight" => "output_norm.weight",
                "lm_head.weight" => "output.weight",
                _ => throw new ArgumentException($"GGUF has no name for '{name}' of a Qwen3 decoder", nameof(name)),
            };
        return $"blk.{layer}." + string.Join('.', rest) switch
        {
            "input_layernorm.weight" => "attn_norm.weight",
            "self_attn.q_proj.weight" => "attn_q.weight",
            "self_attn.k_proj.weight" => "attn_k.weight",
            "self_attn.v_proj.weight" => "attn_v.weight",
            "self_attn.o_proj.weight" => "attn_output.weight",
            "self_attn.q_norm.weight" => "attn_q_norm.weight",
            "self_attn.k_norm.weight" => "attn_k_norm.weight",
            "post_attention_layernorm.weight" => "ffn_norm.weight",
            "mlp.gate_proj.weight" => "ffn_gate.weight",
            "mlp.up_proj.weight" => "ffn_up.weight",
            "mlp.down_proj.weight" => "ffn_down.weight",
            _ => throw new ArgumentException($"GGUF has no name for '{name}' of a Qwen3 decoder", nameof(name)),
        };
    }

    private static List<(string Key, object Value)> Metadata(Qwen3Config config) =>
    [
        ("general.architecture", "qwen3"),
        ("general.file_type", 0u),
        ("qwen3.vocab_size", (uint)config.VocabularySize),
        ("qwen3.context_length", 1u << 20), // as long as the peer's context is made
        ("qwen3.embedding_length", (uint)config.HiddenSize),
        ("qwen3.block_count", (uint)config.Layers),
        ("qwen3.feed_forward_length", (uint)config.IntermediateSize),
        ("qwen3.attention.head_count", (uint)config.AttentionHeads),
        ("qwen3.attention.head_count_kv", (uint)config.KeyValueHeads),
        ("qwen3.attention.key_length", (uint)config.HeadDim),
        ("qwen3.attention.value_length", (uint)config.HeadDim),
        ("qwen3.attention.layer_norm_rms_epsilon", (float)config.RmsNormEps),
        ("qwen3.rope.freq_base", (float)config.RopeTheta),
        ("tokenizer.ggml.model", "no_vocab"),
    ];

    private static void WriteValue(BinaryWriter file, string key, object value)
    {
        WriteText(file, key);
        switch (value)
        {
            case uint number:
                file.Write((int)ValueType.UInt32);
                file.Write(number);
                break;
            case float number:
                file.Write((int)ValueType.Float32);
                file.Write(number);
                break;
            default:
                file.Write((int)ValueType.String);
                WriteText(file, (string)value);
                break;
        }
    }

    private static void WriteText(BinaryWriter file, string text)
    {
        var bytes = Encoding.UTF8.GetBytes(text);
        file.Write((long)bytes.Length);
        file.Write(bytes);
    }

    private static long Aligned(long offset) => (offset + Alignment - 1) / Alignment * Alignment;

    private static void Pad(BinaryWriter file)
    {
        file.Flush();
        var at = file.BaseStream.Position;
        file.Write(new byte[Aligned(at) - at]);
    }
}
