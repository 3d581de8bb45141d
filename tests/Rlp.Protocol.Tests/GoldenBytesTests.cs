using Rlp.Protocol.Serialization;

namespace Rlp.Protocol.Tests;

/// <summary>What was once written stays readable: golden.txt holds the bytes of every manifest's sample message, old ones included.</summary>
public sealed class GoldenBytesTests
{
    private static readonly ILookup<string, byte[]> Golden = File.ReadLines(Path.Combine(AppContext.BaseDirectory, "golden.txt"))
        .Where(line => line.Length > 0 && !line.StartsWith('#'))
        .Select(line => line.Split(' '))
        .ToLookup(parts => parts[0], parts => Convert.FromHexString(parts.Length > 1 ? parts[1] : ""));

    [Theory]
    [MemberData(nameof(Samples.Manifests), MemberType = typeof(Samples))]
    public void The_newest_golden_bytes_are_what_is_written_today(string manifest)
    {
        var written = MessageRegistry.Serialize(Samples.Full(Samples.TypeOf(manifest)));
        Assert.True(
            Golden[manifest].LastOrDefault() is { } newest && newest.AsSpan().SequenceEqual(written),
            $"{manifest} is written differently than golden.txt says. If you only added members or a message, append this line and keep the older ones; "
                + "if a member was renamed, renumbered, retyped or removed, take that back or give the message a new manifest:\n"
                + $"{manifest} {Convert.ToHexStringLower(written)}");
    }

    [Fact]
    public void All_golden_bytes_are_still_read_with_every_member_in_its_place()
    {
        foreach (var line in Golden)
            foreach (var bytes in line)
            {
                var read = MessageRegistry.Deserialize(line.Key, bytes);
                AssertSampleOrAbsent(read, line.Key);
                Assert.True(
                    bytes.AsSpan().SequenceEqual(MessageRegistry.Serialize(read)),
                    $"{line.Key}: something in the golden bytes was not understood: {Convert.ToHexStringLower(bytes)}");
            }
    }

    /// <summary>Of an older line a member may be absent; a value that belongs to another member may not stand in its place.</summary>
    private static void AssertSampleOrAbsent(object message, string where)
    {
        var fresh = Activator.CreateInstance(message.GetType())!;
        foreach (var member in Samples.Members(message.GetType()))
        {
            var (value, path) = (member.GetValue(message), $"{where}.{member.Name}");
            var absent = Text(value) == Text(member.GetValue(fresh));
            if (absent)
                continue;
            var type = Nullable.GetUnderlyingType(member.PropertyType) ?? member.PropertyType;
            if (IsMessage(type))
                AssertSampleOrAbsent(value!, path);
            else if (type.IsArray && IsMessage(type.GetElementType()!))
                foreach (var element in (Array)value!)
                    AssertSampleOrAbsent(element!, path);
            else
                Assert.True(Text(Samples.Value(type, member.Name)) == Text(value), $"{path} is read as {Text(value)}");
        }
    }

    private static bool IsMessage(Type type) => type.IsDefined(typeof(ProtoBuf.ProtoContractAttribute), inherit: false);

    private static string Text(object? value) => value is null ? "null" : Samples.Text(value);
}
