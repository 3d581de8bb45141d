using System.Text.Json;

namespace Rlp.Chaos.Tests;

/// <summary>An event of a run's journal, as `rlp runs events` prints it.</summary>
/// <param name="Path">Of a checkpoint; empty for other events.</param>
internal sealed record JournaledEvent(DateTimeOffset At, string Stage, long Step, string Path)
{
    public static JournaledEvent Of(string json)
    {
        using var document = JsonDocument.Parse(json);
        var e = document.RootElement;
        var path = e.TryGetProperty("path", out var text) ? text.GetString()! : "";
        return new JournaledEvent(e.GetProperty("at").GetDateTimeOffset(), e.GetProperty("stage").GetString()!, e.GetProperty("step").GetInt64(), path);
    }
}
