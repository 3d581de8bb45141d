using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Rlp.Benchmarks;

/// <summary>How benchmarks write their figures.</summary>
internal static class BenchmarkJson
{
    public static JsonSerializerOptions Options { get; } = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        WriteIndented = true,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping, // "<=" and the like as they are
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    };
}
