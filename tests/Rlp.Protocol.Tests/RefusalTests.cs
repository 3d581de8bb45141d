using CsCheck;
using Rlp.Protocol.Commands;
using Rlp.Protocol.Serialization;

namespace Rlp.Protocol.Tests;

/// <summary>What is no message is refused by name, and bytes that are none never do worse than that.</summary>
public sealed class RefusalTests
{
    private sealed record Unregistered : IRlpMessage;

    [Fact]
    public void A_type_that_is_not_registered_is_refused_by_its_name()
    {
        Assert.Contains(nameof(Unregistered), Assert.Throws<ArgumentException>(() => MessageRegistry.Serialize(new Unregistered())).Message);
        Assert.Contains("System.String", Assert.Throws<ArgumentException>(() => MessageRegistry.ManifestOf(typeof(string))).Message);
    }

    [Theory]
    [InlineData("run-created/2")]
    [InlineData("System.Diagnostics.Process, System")]
    [InlineData("")]
    public void A_manifest_that_is_not_registered_is_refused_by_its_name(string manifest) =>
        Assert.Contains($"'{manifest}'", Assert.Throws<ArgumentException>(() => MessageRegistry.Deserialize(manifest, new byte[] { 1 })).Message);

    [Theory]
    [MemberData(nameof(Samples.Manifests), MemberType = typeof(Samples))]
    public void Bytes_that_were_cut_short_are_refused_or_hold_less(string manifest)
    {
        var full = Samples.Full(Samples.TypeOf(manifest));
        var bytes = MessageRegistry.Serialize(full);
        for (var length = 0; length < bytes.Length; length++)
            if (Read(manifest, bytes[..length]) is { } shorter)
                Assert.NotEqual(Samples.Text(full), Samples.Text(shorter));
    }

    [Fact]
    public void A_message_cut_inside_a_member_is_refused_with_its_manifest_and_length()
    {
        var bytes = MessageRegistry.Serialize(new StopRun { RunId = "run", Reason = "reason" });
        var refusal = Assert.Throws<InvalidDataException>(() => MessageRegistry.Deserialize("stop-run/1", bytes[..^1]));
        Assert.Contains($"{bytes.Length - 1} bytes are not a message 'stop-run/1'", refusal.Message);
    }

    [Fact]
    public void Damaged_bytes_are_read_as_something_else_or_refused_and_nothing_worse()
    {
        var samples = MessageRegistry.Messages.Select(m => (m.Manifest, Bytes: MessageRegistry.Serialize(Samples.Full(m.Type)))).ToArray();
        var damage = Gen.Select(Gen.Int[0, samples.Length - 1], Gen.Select(Gen.Int[0, int.MaxValue - 1], Gen.Byte).Array[1, 4]);
        damage.Sample((which, changes) =>
        {
            var (manifest, bytes) = (samples[which].Manifest, (byte[])samples[which].Bytes.Clone());
            foreach (var (at, value) in changes)
                if (bytes.Length > 0)
                    bytes[at % bytes.Length] = value;
            Read(manifest, bytes);
        }, iter: 20_000);
    }

    [Fact]
    public void Random_bytes_are_read_as_something_or_refused_and_nothing_worse()
    {
        var manifests = MessageRegistry.Messages.Select(m => m.Manifest).ToArray();
        Gen.Select(Gen.Int[0, manifests.Length - 1], Gen.Byte.Array[0, 40]).Sample((which, bytes) => { Read(manifests[which], bytes); }, iter: 20_000);
    }

    /// <summary>Null where the bytes are refused; any other exception fails the test.</summary>
    private static IRlpMessage? Read(string manifest, byte[] bytes)
    {
        try
        {
            return MessageRegistry.Deserialize(manifest, bytes);
        }
        catch (InvalidDataException)
        {
            return null;
        }
    }
}
