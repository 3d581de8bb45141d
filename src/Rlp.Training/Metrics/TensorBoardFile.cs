using System.Buffers.Binary;
using System.Numerics;
using Google.Protobuf;
using Tensorboard;

namespace Rlp.Training.Metrics;

/// <summary>
/// The TensorBoard event file of one stage (runs/ID/tensorboard/STAGE/): TFRecord frames of Event messages, flushed after each step.
/// Opening it again goes on in the same file after the last whole record, and steps up to the last one in it are not written twice.
/// TorchSharp's own SummaryWriter is not used because it rounds wall times to single precision, opens the file for each value and cannot
/// go on.
/// </summary>
public sealed class TensorBoardFile : IDisposable
{
    private const int HeaderBytes = sizeof(ulong) + sizeof(uint);

    /// <summary>An event of scalars is a few kilobytes; a longer record is damage.</summary>
    private const int LongestEvent = 1 << 20;

    private readonly FileStream stream;
    private readonly TimeProvider clock;

    private TensorBoardFile(FileStream stream, TimeProvider clock) => (this.stream, this.clock) = (stream, clock);

    /// <summary>The last step in the file; -1 when there is none.</summary>
    public long LastStep { get; private set; } = -1;

    public string Path => stream.Name;

    /// <summary>Opens the folder's event file, or starts one, cutting off what a crash left half-written.</summary>
    public static TensorBoardFile Open(string folder, TimeProvider? clock = null)
    {
        clock ??= TimeProvider.System;
        Directory.CreateDirectory(folder);
        var path = Directory.EnumerateFiles(folder, "events.out.tfevents.*.rlp").Order(StringComparer.Ordinal).LastOrDefault()
            ?? System.IO.Path.Combine(folder,
                FormattableString.Invariant($"events.out.tfevents.{clock.GetUtcNow().ToUnixTimeSeconds():D10}.rlp"));
        var stream = new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.Read);
        try
        {
            var file = new TensorBoardFile(stream, clock);
            var end = 0L;
            foreach (var (recorded, after) in Events(stream))
            {
                if (recorded.Summary is not null) file.LastStep = Math.Max(file.LastStep, recorded.Step);
                end = after;
            }
            stream.SetLength(end);
            stream.Position = end;
            if (end == 0) file.Write(new Event { FileVersion = "brain.Event:2" });
            return file;
        }
        catch
        {
            stream.Dispose();
            throw;
        }
    }

    /// <summary>
    /// Writes the scalars of a step unless the file already reaches it; says whether it did. Values that are not finite are kept as such.
    /// </summary>
    public bool Append(long step, IReadOnlyDictionary<string, double> values)
    {
        if (step <= LastStep) return false;
        var summary = new Summary();
        foreach (var (name, value) in values) summary.Value.Add(new Summary.Types.Value { Tag = name, SimpleValue = (float)value });
        Write(new Event { Step = step, Summary = summary });
        LastStep = step;
        return true;
    }

    public void Dispose() => stream.Dispose();

    private void Write(Event recorded)
    {
        recorded.WallTime = clock.GetUtcNow().ToUnixTimeMilliseconds() / 1000.0;
        stream.Write(Frame(recorded.ToByteArray()));
        stream.Flush();
    }

    /// <summary>
    /// A TFRecord: UInt64 length, UInt32 masked CRC of the length, the data, UInt32 masked CRC of the data; all little-endian.
    /// </summary>
    private static byte[] Frame(byte[] data)
    {
        var frame = new byte[HeaderBytes + data.Length + sizeof(uint)];
        BinaryPrimitives.WriteUInt64LittleEndian(frame, (ulong)data.Length);
        BinaryPrimitives.WriteUInt32LittleEndian(frame.AsSpan(sizeof(ulong)), MaskedCrc(frame.AsSpan(0, sizeof(ulong))));
        data.CopyTo(frame, HeaderBytes);
        BinaryPrimitives.WriteUInt32LittleEndian(frame.AsSpan(HeaderBytes + data.Length), MaskedCrc(data));
        return frame;
    }

    /// <summary>The events up to the first record that is not whole, each with the position after it.</summary>
    private static IEnumerable<(Event Event, long After)> Events(FileStream stream)
    {
        var header = new byte[HeaderBytes];
        while (stream.ReadAtLeast(header, HeaderBytes, throwOnEndOfStream: false) == HeaderBytes)
        {
            var length = BinaryPrimitives.ReadUInt64LittleEndian(header);
            var lengthCrc = BinaryPrimitives.ReadUInt32LittleEndian(header.AsSpan(sizeof(ulong)));
            if (lengthCrc != MaskedCrc(header.AsSpan(0, sizeof(ulong))) || length > LongestEvent) yield break;
            var body = new byte[(int)length + sizeof(uint)];
            if (stream.ReadAtLeast(body, body.Length, throwOnEndOfStream: false) < body.Length) yield break;
            if (BinaryPrimitives.ReadUInt32LittleEndian(body.AsSpan((int)length)) != MaskedCrc(body.AsSpan(0, (int)length))) yield break;
            yield return (Event.Parser.ParseFrom(body, 0, (int)length), stream.Position);
        }
    }

    /// <summary>CRC-32C (RFC 3720, appendix B.4).</summary>
    public static uint Crc32c(ReadOnlySpan<byte> data)
    {
        var crc = uint.MaxValue;
        foreach (var value in data) crc = BitOperations.Crc32C(crc, value);
        return ~crc;
    }

    /// <summary>TFRecord's masking, which keeps a CRC over data that holds CRCs from degenerating.</summary>
    private static uint MaskedCrc(ReadOnlySpan<byte> data) => BitOperations.RotateRight(Crc32c(data), 15) + 0xa282ead8u;
}
