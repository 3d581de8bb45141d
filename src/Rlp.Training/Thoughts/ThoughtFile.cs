using System.Text.Json.Serialization;
using Parquet;
using Parquet.Serialization;
using Rlp.Training.Engines;
using Rlp.Training.Metrics;

namespace Rlp.Training.Thoughts;

/// <summary>Which thought of a file gained how much: S_pred - S_ema in nats (eq. 5).</summary>
public sealed class ThoughtGain
{
    [JsonPropertyName("group")]
    public int Group { get; set; }

    [JsonPropertyName("member")]
    public int Member { get; set; }

    [JsonPropertyName("gain")]
    public double Gain { get; set; }
}

/// <summary>
/// The thoughts of one step as a Parquet file, a row each, in the order of groups and members: step, group, member, policy_version, prefix (token
/// ids; in the row of member 0, empty in the others), next_token, thought (token ids, the end marker included), log_probabilities (float, one
/// for each token of the thought), clipped, s_pred, s_ema and gain (nats), thoughts_sha256 (the group's digest, which the journal holds too).
/// Compressed with zstd.
/// </summary>
public static class ThoughtFile
{
    /// <summary>Who wants one group of a large file reads no more than these and decompresses no more than these.</summary>
    private const int RowsTogether = 512;

    private static readonly ParquetOptions Options = new()
    {
        CompressionMethod = CompressionMethod.Zstd,
        CompressionLevel = System.IO.Compression.CompressionLevel.Fastest, // token ids and floats are no smaller at a slower level
        RowGroupSize = RowsTogether,
    };

    private static readonly string[] Columns = [.. typeof(ThoughtRow).GetParquetSchema(forWriting: true).DataFields.Select(f => f.Path.ToString())];

    /// <summary>Writes a file whole or not at all.</summary>
    /// <exception cref="IOException">The disk does not take it.</exception>
    /// <exception cref="UnauthorizedAccessException">As above.</exception>
    public static void Write(string path, long step, IEnumerable<ScoredGroup> groups) => AtomicFile.Write(
        path, stream => ParquetSerializer.SerializeAsync(groups.SelectMany(g => ThoughtRow.Of(step, g)), stream, Options).GetAwaiter().GetResult());

    /// <summary>Reads three small columns, whatever the lengths of prefixes and thoughts.</summary>
    /// <exception cref="InvalidDataException">The file is damaged, or holds no thoughts.</exception>
    /// <exception cref="IOException">It cannot be read, or is gone.</exception>
    public static Task<IReadOnlyList<ThoughtGain>> ReadGainsAsync(string path, CancellationToken cancellation = default) =>
        ReadAsync<IReadOnlyList<ThoughtGain>>(
            path, async (stream, _) => [.. (await ParquetSerializer.DeserializeAsync<ThoughtGain>(stream, cancellationToken: cancellation)).Data], cancellation);

    /// <summary>Reads some groups, and of the others only those that lie with them.</summary>
    /// <param name="groups">Ids; those that the file does not have are passed over.</param>
    /// <exception cref="InvalidDataException">The file is damaged, or holds no thoughts.</exception>
    /// <exception cref="IOException">It cannot be read, or is gone.</exception>
    public static Task<IReadOnlyList<ScoredGroup>> ReadGroupsAsync(string path, IReadOnlySet<int> groups, CancellationToken cancellation = default) =>
        ReadAsync<IReadOnlyList<ScoredGroup>>(
            path,
            async (stream, parts) =>
            {
                var rows = new List<ThoughtRow>();
                for (var part = 0; part < parts; part++)
                {
                    var there = (await ParquetSerializer.DeserializeAsync<ThoughtGain>(stream, rowGroupIndex: part, cancellationToken: cancellation)).Data;
                    if (there.Any(t => groups.Contains(t.Group)))
                        rows.AddRange((await ParquetSerializer.DeserializeAsync<ThoughtRow>(stream, rowGroupIndex: part, cancellationToken: cancellation)).Data);
                }
                return [.. rows.Where(r => groups.Contains(r.Group)).GroupBy(r => r.Group).Select(g => ThoughtRow.ToGroup([.. g]))];
            },
            cancellation);

    /// <param name="read">Takes the file and the number of its row groups.</param>
    private static async Task<T> ReadAsync<T>(string path, Func<Stream, int, Task<T>> read, CancellationToken cancellation)
    {
        await using var stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read | FileShare.Delete);
        try
        {
            int parts;
            await using (var reader = await ParquetReader.CreateAsync(stream, leaveStreamOpen: true, cancellationToken: cancellation))
            {
                // The reader would give zeros for a column that is not there.
                if (Columns.Except(reader.Schema.DataFields.Select(f => f.Path.ToString())).FirstOrDefault() is { } missing)
                    throw new InvalidDataException($"it has no column {missing}");
                parts = reader.RowGroupCount;
            }
            return await read(stream, parts);
        }
        catch (Exception e) when (e is not OperationCanceledException) // whatever the reader stumbles over in a file that is not what it was
        {
            throw new InvalidDataException($"{path} is no whole file of thoughts: {e.Message}. No run needs it; delete it", e);
        }
    }
}
