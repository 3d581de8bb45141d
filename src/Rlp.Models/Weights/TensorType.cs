using static TorchSharp.torch;

namespace Rlp.Models.Weights;

/// <summary>Types of elements as safetensors spells them.</summary>
public static class TensorType
{
    /// <summary>What weights may be stored as.</summary>
    public const string Readable = "F32, F16 or BF16";

    /// <summary>Bits of one element; null for a name that the format does not have.</summary>
    internal static int? BitsOf(string name) => name switch
    {
        "F4" => 4,
        "F6_E2M3" or "F6_E3M2" => 6,
        "BOOL" or "U8" or "I8" or "F8_E4M3" or "F8_E5M2" or "F8_E8M0" => 8,
        "I16" or "U16" or "F16" or "BF16" => 16,
        "I32" or "U32" or "F32" => 32,
        "I64" or "U64" or "F64" or "C64" => 64,
        _ => null,
    };

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
