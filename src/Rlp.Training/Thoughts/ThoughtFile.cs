using System.IO.Compression;
using System.Text.Json.Serialization;
using Parquet;
using Parquet.Schema;
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
/// The thoughts of one step as a Parquet file, a row each, in the order of groups and members: step, group, member, policy_version, prefix
/// (token ids; in the row of member 0, empty in the others), next_token, thought (token ids, the end marker included), log_probabilities
/// (float, one for each token of the thought), clipped, s_pred, s_ema and gain (nats), thoughts_sha256 (the group's digest, which the
/// journal holds too). Compressed with zstd.
/// </summary>
public static class ThoughtFile
{
    /// <summary>Rows of a row group: who wants one of them decompresses them all.</summary>
    private const int RowsTogether = 512;

    private static readonly ParquetOptions Options = new()
    {
        CompressionMethod = CompressionMethod.Zstd,
        CompressionLevel = CompressionLevel.Fastest, // token ids and floats get no smaller at a slower one
        RowGroupSize = RowsTogether,
    };

    private static readonly string[] Columns = NamesOf(typeof(ThoughtRow).GetParquetSchema(forWriting: true));

    /// <summary>Writes a file whole or not at all.</summary>
    /// <exception cref="IOException">The disk does not take it.</exception>
    /// <exception cref="UnauthorizedAccessException">As above.</exception>
    public static void Write(string path, long step, IEnumerable<ScoredGroup> groups)
    {
        var rows = groups.SelectMany(g => ThoughtRow.Of(step, g));
        AtomicFile.Write(path, stream => ParquetSerializer.SerializeAsync(rows, stream, Options).GetAwaiter().GetResult());
    }

    /// <summary>Reads three small columns, whatever the lengths of prefixes and thoughts.</summary>
    /// <exception cref="InvalidDataException">The file is damaged, or holds no thoughts.</exception>
    /// <exception cref="IOException">It cannot be read, or is gone.</exception>
    public static Task<IReadOnlyList<ThoughtGain>> ReadGainsAsync(string path, CancellationToken cancellation = default) =>
        ReadAsync<IReadOnlyList<ThoughtGain>>(
            path, async (stream, _) => [.. await RowsAsync<ThoughtGain>(stream, null, cancellation)], cancellation);

    /// <summary>Reads some groups, and of the others only those that lie with them.</summary>
    /// <param name="groups">Ids; those that the file does not have are passed over.</param>
    /// <exception cref="InvalidDataException">The file is damaged, or holds no thoughts.</exception>
    /// <exception cref="IOException">It cannot be read, or is gone.</exception>
    public static Task<IReadOnlyList<ScoredGroup>> ReadGroupsAsync(
        string path, IReadOnlySet<int> groups, CancellationToken cancellation = default) => ReadAsync<IReadOnlyList<ScoredGroup>>(
            path,
            async (stream, rowGroups) =>
            {
                var rows = new List<ThoughtRow>();
                for (var rowGroup = 0; rowGroup < rowGroups; rowGroup++)
                    if ((await RowsAsync<ThoughtGain>(stream, rowGroup, cancellation)).Any(t => groups.Contains(t.Group)))
                        rows.AddRange((await RowsAsync<ThoughtRow>(stream, rowGroup, cancellation)).Where(r => groups.Contains(r.Group)));
                return [.. rows.GroupBy(r => r.Group).Select(g => ThoughtRow.ToGroup([.. g]))];
            },
            cancellation);

    /// <summary>Reads the columns that <typeparamref name="T"/> has.</summary>
    /// <param name="rowGroup">Null: all of them.</param>
    private static async Task<IList<T>> RowsAsync<T>(Stream stream, int? rowGroup, CancellationToken cancellation) where T : class, new() =>
        (await ParquetSerializer.DeserializeAsync<T>(stream, rowGroupIndex: rowGroup, cancellationToken: cancellation)).Data;

    private static string[] NamesOf(ParquetSchema schema) => [.. schema.DataFields.Select(f => f.Path.ToString())];

    /// <param name="read">Takes the file and the number of its row groups.</param>
    private static async Task<T> ReadAsync<T>(string path, Func<Stream, int, Task<T>> read, CancellationToken cancellation)
    {
        await using var stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read | FileShare.Delete);
        try
        {
            int rowGroups;
            await using (var reader = await ParquetReader.CreateAsync(stream, leaveStreamOpen: true, cancellationToken: cancellation))
            {
                // The reader would give zeros for a column that is not there.
                if (Columns.Except(NamesOf(reader.Schema)).FirstOrDefault() is { } missing)
                    throw new InvalidDataException($"it has no column {missing}");
                rowGroups = reader.RowGroupCount;
            }
            return await read(stream, rowGroups);
        }
        catch (Exception e) when (e is not OperationCanceledException) // whatever the reader stumbles over
        {
            throw new InvalidDataException($"{path} is no whole file of thoughts: {e.Message}. No run needs it; delete it", e);
        }
    }
}
