using System.Globalization;
using System.Reflection;
using System.Text.Json;
using System.Text.Json.Serialization;
using Rlp.Protocol.Events;
using Rlp.Protocol.Serialization;

namespace Rlp.Consoles;

/// <summary>Journaled events as people and scripts read them.</summary>
public static class EventText
{
    /// <summary>Long texts of an event (a recipe) are cut where a person reads them; the JSON has them whole.</summary>
    private const int LongestValue = 60;

    private static readonly JsonSerializerOptions Options = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        NumberHandling = JsonNumberHandling.AllowNamedFloatingPointLiterals,
        Converters = { new JsonStringEnumConverter(JsonNamingPolicy.SnakeCaseLower) },
    };

    /// <summary>The types of events by the names that users write: step-applied.</summary>
    public static IReadOnlyList<string> Types { get; } =
        [.. MessageRegistry.Messages.Where(m => m.Type.IsAssignableTo(typeof(IRunEvent))).Select(m => TypeOf(m.Manifest)).Distinct()];

    public static string TypeOf(JournaledEvent e) => TypeOf(e.Manifest);

    /// <summary>The stage that the event is of; null where it is of none.</summary>
    public static string? StageOf(JournaledEvent e) => Member(e.Event, nameof(StepApplied.Stage)) as string;

    /// <summary>The step that the event is of; null where it is of none.</summary>
    public static long? StepOf(JournaledEvent e) => Member(e.Event, nameof(StepApplied.Step)) as long?;

    /// <summary>Every member, on one line.</summary>
    public static string Json(JournaledEvent e)
    {
        var members = Serialized(e).ToDictionary(m => m.Name, m => (object)m.Value);
        return JsonSerializer.Serialize(
            new Dictionary<string, object> { ["number"] = e.Number, ["at"] = e.At.ToString("O", CultureInfo.InvariantCulture), ["type"] = TypeOf(e) }
                .Concat(members).ToDictionary(m => m.Key, m => m.Value), Options);
    }

    /// <summary>The members that are one value each: name=value.</summary>
    public static string Members(JournaledEvent e) => string.Join(' ', Serialized(e)
        .Where(m => m.Name != "run_id" && m.Value.ValueKind is not (JsonValueKind.Null or JsonValueKind.Array or JsonValueKind.Object))
        .Select(m => $"{m.Name}={Short(m.Value.ToString())}"));

    private static JsonElement.ObjectEnumerator Serialized(JournaledEvent e) => JsonSerializer.SerializeToElement(e.Event, e.Event.GetType(), Options).EnumerateObject();

    private static string Short(string value) =>
        value.ReplaceLineEndings(" ") is { Length: > LongestValue } cut ? cut[..(LongestValue - 3)] + "..." : value.ReplaceLineEndings(" ");

    private static string TypeOf(string manifest) => manifest.Split('/')[0];

    private static object? Member(IRunEvent e, string name) => e.GetType().GetProperty(name, BindingFlags.Public | BindingFlags.Instance)?.GetValue(e);
}
