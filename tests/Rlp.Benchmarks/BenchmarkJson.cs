using System.Text.Json;

namespace Rlp.Benchmarks;

/// <summary>How benchmarks write their figures.</summary>
internal static class BenchmarkJson
{
    public static JsonSerializerOptions Options { get; } = new() { PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower, WriteIndented = true };
}
