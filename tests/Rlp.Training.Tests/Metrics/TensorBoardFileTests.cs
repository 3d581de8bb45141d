using System.Buffers.Binary;
using System.Text;
using Rlp.Training.Metrics;
using TorchSharp;

namespace Rlp.Training.Tests.Metrics;

public sealed class TensorBoardFileTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    private string Stage => folder["tensorboard/rlp"];

    public static TheoryData<byte[], uint> KnownAnswers => new()
    {
        // RFC 3720, appendix B.4 (the digests there are listed byte by byte, least significant first), and the usual check string.
        { new byte[32], 0x8a9136aa },
        { [.. Enumerable.Repeat((byte)0xff, 32)], 0x62a8ab43 },
        { [.. Enumerable.Range(0, 32).Select(i => (byte)i)], 0x46dd794e },
        { [.. Enumerable.Range(0, 32).Select(i => (byte)(31 - i))], 0x113fdb5c },
        { "123456789"u8.ToArray(), 0xe3069283 },
        { [], 0 },
    };

    [Theory]
    [MemberData(nameof(KnownAnswers))]
    public void The_checksum_gives_the_known_answers(byte[] data, uint expected) => Assert.Equal(expected, TensorBoardFile.Crc32c(data));

    [Fact]
    public void The_file_holds_the_version_and_then_one_event_per_step_with_all_scalars()
    {
        var before = DateTimeOffset.UtcNow.ToUnixTimeMilliseconds() / 1000.0;
        using (var file = TensorBoardFile.Open(Stage))
        {
            Assert.True(file.Append(1, Values(("loss", 0.5), ("rlp/info_gain", 1.25))));
            Assert.True(file.Append(300_000_000_000, Values(("loss", double.NaN))));
        }
        var events = Records(Assert.Single(Directory.GetFiles(Stage)));
        Assert.Equal(3, events.Count);
        Assert.Equal("brain.Event:2", events[0].FileVersion);
        Assert.Equal(1, events[1].Step);
        Assert.Equal([("loss", 0.5f), ("rlp/info_gain", 1.25f)], events[1].Scalars);
        Assert.Equal(300_000_000_000, events[2].Step);
        Assert.Equal([("loss", float.NaN)], events[2].Scalars);
        Assert.All(events, e => Assert.InRange(e.WallTime, before, before + 60));
    }

    [Fact]
    public void TensorBoard_recognises_the_file_by_its_name()
    {
        using var file = TensorBoardFile.Open(Stage);
        Assert.Contains("tfevents", Path.GetFileName(file.Path));
    }

    [Fact]
    public void The_parser_of_these_tests_reads_what_another_writer_wrote()
    {
        var writer = torch.utils.tensorboard.SummaryWriter(folder["other"]);
        writer.add_scalar("loss", 0.5f, 7);
        var events = Records(Assert.Single(Directory.GetFiles(folder["other"])));
        Assert.Equal("brain.Event:2", events[0].FileVersion);
        Assert.Equal(7, events[1].Step);
        Assert.Equal([("loss", 0.5f)], events[1].Scalars);
    }

    [Fact]
    public void Wherever_a_crash_cuts_the_last_event_the_file_goes_on_after_the_one_before()
    {
        using (var file = TensorBoardFile.Open(Stage))
        {
            file.Append(1, Values(("loss", 1)));
            file.Append(2, Values(("loss", 2)));
        }
        var path = Assert.Single(Directory.GetFiles(Stage));
        var whole = File.ReadAllBytes(path);
        var lastFrame = (whole.Length - Frames(whole).First()) / 2;
        for (var cut = whole.Length - lastFrame; cut < whole.Length; cut++)
        {
            File.WriteAllBytes(path, whole[..cut]);
            using (var file = TensorBoardFile.Open(Stage))
            {
                Assert.Equal(1, file.LastStep);
                Assert.True(file.Append(2, Values(("loss", 3))));
            }
            Assert.Equal([1f, 3f], Records(path).Skip(1).Select(e => e.Scalars.Single().Value));
        }
    }

    [Fact]
    public void A_flipped_bit_in_the_last_event_is_noticed()
    {
        using (var file = TensorBoardFile.Open(Stage)) file.Append(1, Values(("loss", 1)));
        var path = Assert.Single(Directory.GetFiles(Stage));
        var bytes = File.ReadAllBytes(path);
        bytes[^6] ^= 1;
        File.WriteAllBytes(path, bytes);
        using var reopened = TensorBoardFile.Open(Stage);
        Assert.Equal(-1, reopened.LastStep);
    }

    [Fact]
    public void Steps_executed_again_after_a_crash_are_not_written_twice()
    {
        using (var file = TensorBoardFile.Open(Stage))
            for (var step = 1; step <= 5; step++) file.Append(step, Values(("loss", step)));
        using (var file = TensorBoardFile.Open(Stage))
            for (var step = 4; step <= 6; step++) Assert.Equal(step == 6, file.Append(step, Values(("loss", step))));
        Assert.Equal([1L, 2, 3, 4, 5, 6], Records(Assert.Single(Directory.GetFiles(Stage))).Skip(1).Select(e => e.Step));
    }

    [Fact]
    public void An_event_is_in_the_file_as_soon_as_it_is_appended()
    {
        using var file = TensorBoardFile.Open(Stage);
        file.Append(1, Values(("loss", 1)));
        Assert.Equal(2, Records(file.Path).Count);
    }

    public void Dispose() => folder.Dispose();

    private static Dictionary<string, double> Values(params (string Name, double Value)[] values) =>
        values.ToDictionary(v => v.Name, v => v.Value);

    private sealed record Recorded(double WallTime, long Step, string? FileVersion, IReadOnlyList<(string Tag, float Value)> Scalars);

    /// <summary>Reads records with a bitwise CRC and the protobuf wire format by hand, sharing nothing with the code under test.</summary>
    private static List<Recorded> Records(string path)
    {
        using var stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
        var bytes = new byte[stream.Length];
        stream.ReadExactly(bytes);
        var (records, at) = (new List<Recorded>(), 0);
        foreach (var end in Frames(bytes))
        {
            records.Add(ParseEvent(bytes.AsSpan((at + 12)..(end - 4))));
            at = end;
        }
        Assert.Equal(bytes.Length, at);
        return records;
    }

    private static IEnumerable<int> Frames(byte[] bytes)
    {
        for (var at = 0; at < bytes.Length;)
        {
            var length = (int)BinaryPrimitives.ReadUInt64LittleEndian(bytes.AsSpan(at));
            Assert.Equal(MaskedBitwiseCrc(bytes.AsSpan(at, 8)), BinaryPrimitives.ReadUInt32LittleEndian(bytes.AsSpan(at + 8)));
            Assert.Equal(
                MaskedBitwiseCrc(bytes.AsSpan(at + 12, length)),
                BinaryPrimitives.ReadUInt32LittleEndian(bytes.AsSpan(at + 12 + length)));
            yield return at += 12 + length + 4;
        }
    }

    private static uint MaskedBitwiseCrc(ReadOnlySpan<byte> data)
    {
        var crc = 0xffffffffu;
        foreach (var value in data)
        {
            crc ^= value;
            for (var bit = 0; bit < 8; bit++) crc = (crc & 1) == 1 ? (crc >> 1) ^ 0x82f63b78u : crc >> 1;
        }
        crc = ~crc;
        return unchecked(((crc >> 15) | (crc << 17)) + 0xa282ead8u);
    }

    // Event: 1 wall_time double, 2 step int64, 3 file_version string, 5 summary. Summary: 1 value. Value: 1 tag, 2 simple_value float.
    private static Recorded ParseEvent(ReadOnlySpan<byte> data)
    {
        var (time, step, version, scalars) = (0.0, 0L, (string?)null, new List<(string, float)>());
        while (data.Length > 0)
        {
            var key = Varint(ref data);
            if (key == 0x09) time = BinaryPrimitives.ReadDoubleLittleEndian(Take(ref data, 8));
            else if (key == 0x10) step = (long)Varint(ref data);
            else if (key == 0x1a) version = Encoding.UTF8.GetString(Take(ref data, (int)Varint(ref data)));
            else if (key == 0x2a)
            {
                var summary = Take(ref data, (int)Varint(ref data));
                while (summary.Length > 0)
                {
                    Assert.Equal(0x0aUL, Varint(ref summary));
                    var value = Take(ref summary, (int)Varint(ref summary));
                    Assert.Equal(0x0aUL, Varint(ref value));
                    var tag = Encoding.UTF8.GetString(Take(ref value, (int)Varint(ref value)));
                    Assert.Equal(0x15UL, Varint(ref value));
                    scalars.Add((tag, BinaryPrimitives.ReadSingleLittleEndian(Take(ref value, 4))));
                    Assert.Equal(0, value.Length);
                }
            }
            else Assert.Fail($"unknown field key {key}");
        }
        return new Recorded(time, step, version, scalars);
    }

    private static ulong Varint(ref ReadOnlySpan<byte> data)
    {
        for (var (value, shift) = (0UL, 0); ; shift += 7)
        {
            var next = Take(ref data, 1)[0];
            value |= (ulong)(next & 0x7f) << shift;
            if (next < 0x80) return value;
        }
    }

    private static ReadOnlySpan<byte> Take(ref ReadOnlySpan<byte> data, int count)
    {
        var taken = data[..count];
        data = data[count..];
        return taken;
    }
}
