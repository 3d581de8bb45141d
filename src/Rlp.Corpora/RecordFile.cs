using System.Buffers;
using System.IO.Compression;
using System.Security.Cryptography;
using System.Text;
using System.Text.Unicode;
using Microsoft.Win32.SafeHandles;

namespace Rlp.Corpora;

/// <summary>
/// A UTF-8 file cut into records by a separator. One pass at opening checks the text, digests it and notes where the records are; each read
/// then fetches one record. A path that ends in .gz is decompressed to a temporary file first, because gzip has no random access.
/// </summary>
internal sealed class RecordFile : IDisposable
{
    /// <summary>A record is read into memory at once.</summary>
    public const int LongestRecord = 1 << 28;

    /// <summary>A few kilobytes of gzip can expand a thousandfold; this keeps a bad file from filling the disk without a word.</summary>
    public const long LargestDecompressedFile = 1L << 36;

    private const int ChunkSize = 1 << 20;
    private const int LongestSeparator = 1024;
    private static readonly UTF8Encoding Strict = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);
    private static readonly byte[] ByteOrderMark = [0xEF, 0xBB, 0xBF];

    private readonly SafeFileHandle handle;
    private readonly string path;
    private readonly bool decompressed;
    private readonly DateTime writtenAt;
    private readonly List<long> starts = [];
    private readonly List<int> lengths = [];

    /// <param name="path">A UTF-8 file, or one compressed by gzip where the path ends in .gz.</param>
    /// <param name="separator">What stands between two records; empty: the file is one record. Two neighbours enclose an empty record.</param>
    public RecordFile(string path, string separator)
    {
        this.path = path;
        var separatorBytes = Strict.GetBytes(separator);
        if (separatorBytes.Length > LongestSeparator)
            throw new ArgumentException($"a separator of {separatorBytes.Length} bytes is longer than {LongestSeparator}", nameof(separator));

        decompressed = path.EndsWith(".gz", StringComparison.OrdinalIgnoreCase);
        try
        {
            handle = decompressed
                ? Decompress(path)
                : File.OpenHandle(path, FileMode.Open, FileAccess.Read, FileShare.Read | FileShare.Delete, FileOptions.RandomAccess);
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException or InvalidDataException)
        {
            throw new CorpusException($"{path}: cannot be opened as a corpus: {failure.Message}", failure);
        }

        try
        {
            Length = RandomAccess.GetLength(handle);
            if (Length == 0) throw new CorpusException($"{path}: the file is empty; a corpus needs at least one document.");
            writtenAt = File.GetLastWriteTimeUtc(handle);
            Sha256 = Scan(separatorBytes);
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException or NotSupportedException)
        {
            handle.Dispose();
            throw new CorpusException($"{path}: cannot be read as a corpus: {failure.Message}", failure);
        }
        catch
        {
            handle.Dispose();
            throw;
        }
    }

    public int Count => starts.Count;

    /// <summary>Bytes of the (decompressed) text.</summary>
    public long Length { get; }

    /// <summary>Lower-case hexadecimal SHA-256 of the (decompressed) text.</summary>
    public string Sha256 { get; }

    public int LengthOf(int record) => lengths[record];

    /// <summary>Forgets the records that are not to be kept; the others keep their order.</summary>
    public void Keep(Func<int, bool> keep)
    {
        var kept = 0;
        for (var record = 0; record < starts.Count; record++)
        {
            if (!keep(record)) continue;
            starts[kept] = starts[record];
            lengths[kept++] = lengths[record];
        }
        starts.RemoveRange(kept, starts.Count - kept);
        lengths.RemoveRange(kept, lengths.Count - kept);
        starts.TrimExcess();
        lengths.TrimExcess();
    }

    /// <exception cref="CorpusException">The file cannot be read, or has changed since it was opened.</exception>
    public byte[] ReadBytes(int record)
    {
        try
        {
            // The index, the split and the fingerprint were taken from the text as it was: going on would train on something else.
            if (!decompressed && (RandomAccess.GetLength(handle) != Length || File.GetLastWriteTimeUtc(handle) != writtenAt)) throw Changed();
            var bytes = new byte[lengths[record]];
            for (var filled = 0; filled < bytes.Length;)
            {
                var read = RandomAccess.Read(handle, bytes.AsSpan(filled), starts[record] + filled);
                if (read == 0) throw Changed();
                filled += read;
            }
            return bytes;
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            throw new CorpusException($"{path}, byte {starts[record]}: cannot be read: {failure.Message}", failure);
        }
    }

    /// <inheritdoc cref="ReadBytes"/>
    public string ReadText(int record)
    {
        var bytes = ReadBytes(record);
        try
        {
            return Strict.GetString(bytes);
        }
        catch (DecoderFallbackException)
        {
            throw Changed(); // it was valid when it was opened
        }
    }

    public void Dispose() => handle.Dispose();

    private CorpusException Changed() =>
        new($"{path}: the file has changed since it was opened. Put the old file back, or start a new run with the new one.");

    private static SafeFileHandle Decompress(string path)
    {
        using var source = new GZipStream(new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read), CompressionMode.Decompress);
        var temporary = Path.Combine(Path.GetTempPath(), Path.GetRandomFileName());
        var handle = File.OpenHandle(temporary, FileMode.CreateNew, FileAccess.ReadWrite, FileShare.Delete);
        try
        {
            // The open handle keeps the bytes; without a name they are gone with the process, however it ends.
            File.Delete(temporary);
            var chunk = new byte[ChunkSize];
            long written = 0;
            for (int read; (read = source.Read(chunk)) > 0; written += read)
            {
                if (written + read > LargestDecompressedFile)
                    throw new CorpusException($"{path}: more than {LargestDecompressedFile} bytes when decompressed. Decompress it yourself and name the plain file.");
                RandomAccess.Write(handle, chunk.AsSpan(0, read), written);
            }
            return handle;
        }
        catch
        {
            handle.Dispose();
            throw;
        }
    }

    private string Scan(byte[] separator)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        var buffer = new byte[ChunkSize];
        var characters = new char[ChunkSize / 16];
        var keep = Math.Max(3, separator.Length - 1); // an unfinished character or separator may stand at the end of a chunk
        var carried = 0;
        long end = 0, valid = 0, recordStart = 0;
        for (int read; (read = RandomAccess.Read(handle, buffer.AsSpan(carried), end)) > 0;)
        {
            hash.AppendData(buffer, carried, read);
            var window = buffer.AsSpan(0, carried + read);
            var windowStart = end - carried;
            end += read;
            if (windowStart == 0 && carried == 0 && window.StartsWith(ByteOrderMark)) recordStart = ByteOrderMark.Length;

            valid += ValidBytes(window[(int)(valid - windowStart)..], characters, valid);

            var from = (int)Math.Max(0, recordStart - windowStart);
            for (int hit; separator.Length > 0 && (hit = window[from..].IndexOf(separator)) >= 0;)
            {
                AddRecord(recordStart, windowStart + from + hit);
                from += hit + separator.Length;
                recordStart = windowStart + from;
            }

            carried = Math.Min(keep, window.Length);
            window[^carried..].CopyTo(buffer);
        }
        if (valid < end) throw InvalidText(valid);
        AddRecord(recordStart, end);
        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }

    /// <summary>How many bytes are whole, valid characters; fewer than 4 bytes may be left over at the end.</summary>
    private long ValidBytes(ReadOnlySpan<byte> bytes, Span<char> characters, long offset)
    {
        long valid = 0;
        while (true)
        {
            var status = Utf8.ToUtf16(bytes, characters, out var read, out _, replaceInvalidSequences: false, isFinalBlock: false);
            valid += read;
            bytes = bytes[read..];
            if (status == OperationStatus.InvalidData) throw InvalidText(offset + valid);
            if (status != OperationStatus.DestinationTooSmall) return valid;
        }
    }

    private CorpusException InvalidText(long offset) =>
        new($"{path}: invalid UTF-8 at byte offset {offset}{(decompressed ? " of the decompressed text" : "")}. Convert the file to UTF-8.");

    private void AddRecord(long start, long end)
    {
        if (end - start > LongestRecord)
            throw new CorpusException($"{path}: the document at byte offset {start} has {end - start} bytes, more than {LongestRecord}. Choose a separator that cuts the text.");
        starts.Add(start);
        lengths.Add((int)(end - start));
    }
}
