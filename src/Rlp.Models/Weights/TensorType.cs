using static TorchSharp.torch;

namespace Rlp.Models.Weights;

/// <summary>Types of elements as safetensors spells them.</summary>
public static class TensorType
{
    private static readonly Dictionary<string, int> Bits = new(StringComparer.Ordinal)
    {
        ["BOOL"] = 8, ["U8"] = 8, ["I8"] = 8, ["F8_E4M3"] = 8, ["F8_E5M2"] = 8, ["F8_E8M0"] = 8, ["F4"] = 4, ["F6_E2M3"] = 6, ["F6_E3M2"] = 6,
        ["I16"] = 16, ["U16"] = 16, ["F16"] = 16, ["BF16"] = 16, ["I32"] = 32, ["U32"] = 32, ["F32"] = 32, ["I64"] = 64, ["U64"] = 64, ["F64"] = 64,
        ["C64"] = 64,
    };

    /// <summary>What weights may be stored as.</summary>
    public const string Readable = "F32, F16 or BF16";

    /// <summary>Bits of one element; null for a name that the format does not have.</summary>
    internal static int? BitsOf(string name) => Bits.TryGetValue(name, out var bits) ? bits : null;

    /// <summary>The tensor type that a stored type is read as; null for those that are not read.</summary>
    public static ScalarType? Read(string name) => name switch
    {
        "F32" => ScalarType.Float32,
        "F16" => ScalarType.Float16,
        "BF16" => ScalarType.BFloat16,
        _ => null,
    };

    /// <exception cref="ArgumentException">Not a type that weights are written in.</exception>
    public static string Name(ScalarType type) => type switch
    {
        ScalarType.Float32 => "F32",
        ScalarType.Float16 => "F16",
        ScalarType.BFloat16 => "BF16",
        _ => throw new ArgumentException($"weights are {Readable}, not {type}", nameof(type)),
    };

    /// <summary>As config.json's torch_dtype spells it.</summary>
    public static string ConfigName(ScalarType type) => type switch
    {
        ScalarType.Float32 => "float32",
        ScalarType.Float16 => "float16",
        ScalarType.BFloat16 => "bfloat16",
        _ => throw new ArgumentException($"weights are {Readable}, not {type}", nameof(type)),
    };

    /// <summary>What a user may type: f32 or float32, bf16 or bfloat16.</summary>
    /// <exception cref="ModelFormatException">Anything else.</exception>
    public static ScalarType Parse(string text) => text switch
    {
        "f32" or "float32" => ScalarType.Float32,
        "bf16" or "bfloat16" => ScalarType.BFloat16,
        _ => throw new ModelFormatException($"'{text}' is no type of weights here; expected f32 or bf16"),
    };

    internal static int BytesOf(ScalarType type) => type == ScalarType.Float32 ? 4 : 2;
}
