using System.Text;
using System.Text.Json;

namespace Rlp.Training.Metrics;

/// <summary>All metrics of one applied step: one line of metrics.jsonl.</summary>
public sealed record MetricLine(string Stage, long Step, IReadOnlyDictionary<string, double> Values)
{
    /// <summary>{"stage", "step", then every metric by its name}; values that are not finite become null. No line break inside.</summary>
    /// <exception cref="ArgumentException">A metric is named "stage" or "step".</exception>
    public string ToJson()
    {
        using var buffer = new MemoryStream();
        using (var json = new Utf8JsonWriter(buffer))
        {
            json.WriteStartObject();
            json.WriteString("stage", Stage);
            json.WriteNumber("step", Step);
            foreach (var (name, value) in Values)
            {
                if (name is "stage" or "step")
                    throw new ArgumentException($"a metric cannot be named '{name}': that key of a line names the {name}");
                if (double.IsFinite(value)) json.WriteNumber(name, value);
                else json.WriteNull(name);
            }
            json.WriteEndObject();
        }
        return Encoding.UTF8.GetString(buffer.ToArray());
    }

    /// <summary>The inverse of <see cref="ToJson"/>; null becomes NaN.</summary>
    /// <exception cref="FormatException">The text is not such a line; the message says what is wrong.</exception>
    public static MetricLine Parse(ReadOnlyMemory<byte> utf8)
    {
        try
        {
            using var document = JsonDocument.Parse(utf8);
            if (document.RootElement.ValueKind != JsonValueKind.Object) throw new FormatException("not a JSON object");
            string? stage = null;
            long? step = null;
            var values = new Dictionary<string, double>();
            foreach (var property in document.RootElement.EnumerateObject())
            {
                if (property.NameEquals("stage")) stage = property.Value.GetString();
                else if (property.NameEquals("step")) step = property.Value.GetInt64();
                else values[property.Name] = property.Value.ValueKind == JsonValueKind.Null ? double.NaN : property.Value.GetDouble();
            }
            if (stage is null || step is null) throw new FormatException($"no \"{(stage is null ? "stage" : "step")}\"");
            return new MetricLine(stage, step.Value, values);
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            throw new FormatException(e.Message, e);
        }
    }
}
