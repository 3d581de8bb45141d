using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Rlp.Training.Metrics;

namespace Rlp.Evaluation;

/// <summary>
/// The comparison that ends a run: its stages in the order of the table. <see cref="Write"/> makes report.json, a stable surface.
/// </summary>
public sealed record RunReport(string RunId, string Recipe, long Seed, IReadOnlyList<StageReport> Stages)
{
    /// <summary>More than any honest report: a larger file is not read.</summary>
    private const long LargestFile = 1 << 20;

    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true };

    /// <summary>The stage of that id, or null.</summary>
    public StageReport? Stage(string id) => Stages.FirstOrDefault(s => s.Id == id);

    /// <summary>Writes report.json atomically.</summary>
    public void Write(string path) => AtomicFile.Write(path, stream => stream.Write(Encoding.UTF8.GetBytes(ToJson(Indented) + "\n")));

    /// <summary>The report as JSON in one line; values that are not finite are null.</summary>
    public string ToJson() => ToJson(JsonSerializerOptions.Default);

    private string ToJson(JsonSerializerOptions options)
    {
        var stages = new JsonObject();
        foreach (var stage in Stages)
            stages.Add(stage.Id, new JsonObject
            {
                ["think_accuracy"] = Number(stage.ThinkAccuracy),
                ["think_accuracy_stderr"] = Number(stage.ThinkAccuracyStandardError),
                ["nothink_accuracy"] = Number(stage.NothinkAccuracy),
                ["nothink_accuracy_stderr"] = Number(stage.NothinkAccuracyStandardError),
                ["info_gain"] = Number(stage.InfoGain),
                ["thought_length"] = Number(stage.ThoughtLength),
                ["input_tokens"] = Number(stage.InputTokens),
                ["flops"] = Number(stage.Flops),
                ["seconds"] = Number(stage.Seconds),
            });
        var report = new JsonObject { ["run_id"] = RunId, ["recipe"] = Recipe, ["seed"] = Seed, ["stages"] = stages };
        return report.ToJsonString(options);
    }

    /// <summary>Reads what <see cref="Write"/> wrote; null becomes NaN.</summary>
    /// <exception cref="InvalidDataException">Not such a file; the message names it and what is wrong.</exception>
    public static RunReport Read(string path)
    {
        try
        {
            if (new FileInfo(path) is { Exists: true, Length: > LargestFile })
                throw new FormatException($"larger than {LargestFile} bytes");
            using var document = JsonDocument.Parse(File.ReadAllBytes(path));
            var root = document.RootElement;
            return new RunReport(
                root.GetProperty("run_id").GetString()!, root.GetProperty("recipe").GetString()!, root.GetProperty("seed").GetInt64(),
                [.. root.GetProperty("stages").EnumerateObject().Select(s => new StageReport
                {
                    Id = s.Name,
                    ThinkAccuracy = Number(s, "think_accuracy"),
                    ThinkAccuracyStandardError = Number(s, "think_accuracy_stderr"),
                    NothinkAccuracy = Number(s, "nothink_accuracy"),
                    NothinkAccuracyStandardError = Number(s, "nothink_accuracy_stderr"),
                    InfoGain = Number(s, "info_gain"),
                    ThoughtLength = Number(s, "thought_length"),
                    InputTokens = Number(s, "input_tokens"),
                    Flops = Number(s, "flops"),
                    Seconds = Number(s, "seconds"),
                })]);
        }
        catch (Exception e) when (e is JsonException or FormatException or InvalidOperationException or KeyNotFoundException)
        {
            throw new InvalidDataException($"{path} is not the report of a run: {e.Message}; run the comparison again to write it anew", e);
        }
    }

    private static JsonNode? Number(double value) => double.IsFinite(value) ? value : null;

    private static double Number(JsonProperty stage, string name) =>
        !stage.Value.TryGetProperty(name, out var value) ? throw new FormatException($"stage '{stage.Name}' has no '{name}'")
        : value.ValueKind == JsonValueKind.Null ? double.NaN
        : value.GetDouble();
}
