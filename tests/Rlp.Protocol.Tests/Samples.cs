using System.Reflection;
using System.Text.Json;
using System.Text.Json.Serialization;
using Rlp.Protocol.Serialization;

namespace Rlp.Protocol.Tests;

/// <summary>
/// Messages whose every member, at any depth, has a value other than its default. A value is a function of the member's name alone, so that it
/// stays what it is when members are added and betrays members that change places.
/// </summary>
internal static class Samples
{
    private static readonly JsonSerializerOptions Readable = new()
    {
        NumberHandling = JsonNumberHandling.AllowNamedFloatingPointLiterals,
        Converters = { new DoubleBits() },
    };

    public static TheoryData<string> Manifests => [.. MessageRegistry.Messages.Select(m => m.Manifest)];

    public static Type TypeOf(string manifest) => MessageRegistry.Messages.Single(m => m.Manifest == manifest).Type;

    public static object Full(Type type) => Value(type, type.Name);

    /// <summary>Everything a message holds, by another road than protobuf: what two equal messages have in common.</summary>
    public static string Text(object message) => JsonSerializer.Serialize(message, message.GetType(), Readable);

    /// <summary>The members that are written: those that can be set (others are derived).</summary>
    public static IEnumerable<PropertyInfo> Members(Type type) => type.GetProperties().Where(p => p.CanWrite);

    public static object Value(Type type, string name)
    {
        if (Nullable.GetUnderlyingType(type) is { } underlying)
            return Value(underlying, name);
        var number = 1 + name.Aggregate(7, (hash, c) => (hash * 31 + c) & 0xffff) % 1000;
        if (type.IsArray)
            return Sequence(type.GetElementType()!, name);
        if (type.IsGenericType && type.GetGenericTypeDefinition() == typeof(Dictionary<,>))
            return Entries(type, name);
        if (type.IsEnum)
            return Enum.GetValues(type).GetValue(1 + number % Math.Min(4, Enum.GetValues(type).Length - 1))!; // of the first ones: members are added at the end
        if (type.GetCustomAttribute<ProtoBuf.ProtoContractAttribute>() is not null)
            return Filled(type);
        return Type.GetTypeCode(type) switch
        {
            TypeCode.String => name,
            TypeCode.Boolean => true,
            TypeCode.Int32 => number,
            TypeCode.Int64 => 5_000_000_000L + number,
            TypeCode.Double => -number - 0.1,
            TypeCode.Single => -number - 0.1f,
            _ => throw new NotSupportedException($"no sample value of {type} for {name}"),
        };
    }

    private static object Filled(Type type)
    {
        var message = Activator.CreateInstance(type)!;
        foreach (var member in Members(type))
            member.SetValue(message, Value(member.PropertyType, member.Name));
        return message;
    }

    private static Array Sequence(Type element, string name)
    {
        var array = Array.CreateInstance(element, 2);
        array.SetValue(Value(element, name), 0);
        array.SetValue(Value(element, name + "2"), 1);
        return array;
    }

    private static System.Collections.IDictionary Entries(Type type, string name)
    {
        var entries = (System.Collections.IDictionary)Activator.CreateInstance(type)!;
        entries.Add(name, Value(type.GetGenericArguments()[1], name));
        entries.Add(name + "2", Value(type.GetGenericArguments()[1], name + "2"));
        return entries;
    }

    /// <summary>-0 is not 0, and every NaN counts: the journal's figures are compared by their bits.</summary>
    private sealed class DoubleBits : JsonConverter<double>
    {
        public override double Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) => throw new NotSupportedException();

        public override void Write(Utf8JsonWriter writer, double value, JsonSerializerOptions options) =>
            writer.WriteStringValue($"{value:R} {BitConverter.DoubleToInt64Bits(value):x}");
    }
}
