using System.Text.Json;

namespace Rlp.Chaos.Tests;

/// <summary>An event of a run's journal, as `rlp runs events` prints it.</summary>
internal sealed record JournaledEvent(DateTimeOffset At, string Stage, long Step)
{
    public static JournaledEvent Of(string json)
    {
        using var document = JsonDocument.Parse(json);
        var e = document.RootElement;
        return new JournaledEvent(e.GetProperty("at").GetDateTimeOffset(), e.GetProperty("stage").GetString()!, e.GetProperty("step").GetInt64());
    }
}
