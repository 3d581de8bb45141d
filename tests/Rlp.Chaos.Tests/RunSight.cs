using System.Globalization;
using System.Text.Json;

namespace Rlp.Chaos.Tests;

/// <summary>A run as GET /runs/ID shows it.</summary>
internal sealed record RunSight(string Status, string Stage, long Step, string Node, string Failure)
{
    private static readonly string[] Shown = ["count", "mttd_s", "mttr_s", "ettr", "redone_steps", "lost_groups", "duplicate_groups"];

    /// <summary>The nodes of the lanes that are at work.</summary>
    public required IReadOnlyList<string> Lanes { get; init; }

    /// <summary>Nodes by role; lanes are not in it.</summary>
    public required IReadOnlyDictionary<string, string> Seats { get; init; }

    /// <summary>Without the prefix recovery/.</summary>
    public required IReadOnlyDictionary<string, double> Recovery { get; init; }

    public static RunSight Of(string json)
    {
        using var document = JsonDocument.Parse(json);
        var run = document.RootElement;
        return new RunSight(Text(run, "status"), Text(run, "stage"), run.GetProperty("step").GetInt64(), Text(run, "node"), Text(run, "failure"))
        {
            Lanes = [.. run.GetProperty("workers").EnumerateArray().Where(w => Text(w, "role") == "lane").Select(w => Text(w, "node"))],
            Seats = run.GetProperty("workers").EnumerateArray().Where(w => Text(w, "role") != "lane").ToDictionary(w => Text(w, "role"), w => Text(w, "node")),
            Recovery = run.GetProperty("recovery").EnumerateObject().ToDictionary(p => p.Name["recovery/".Length..], p => p.Value.GetDouble()),
        };
    }

    /// <summary>The recovery figures on one line.</summary>
    public string Figures() => string.Join(", ", Shown.Select(name => $"{name} {Recovery.GetValueOrDefault(name).ToString("0.##", CultureInfo.InvariantCulture)}"));

    private static string Text(JsonElement element, string name) => element.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString()! : "";
}
