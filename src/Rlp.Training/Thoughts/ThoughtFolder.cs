using System.Globalization;
using Rlp.Training.Engines;

namespace Rlp.Training.Thoughts;

/// <summary>
/// The kept thoughts of a run: RUN/thoughts/STAGE/STEP.parquet, see <see cref="ThoughtFile"/>. One process writes it at a time.
/// </summary>
public sealed class ThoughtFolder(string runFolder)
{
    private const string Extension = ".parquet";

    private static readonly CultureInfo Invariant = CultureInfo.InvariantCulture;

    /// <summary>The files by their paths, whose order is that of the steps, with their sizes in bytes.</summary>
    private SortedDictionary<string, long>? kept;

    public string Folder { get; } = Path.Combine(Path.GetFullPath(runFolder), "thoughts");

    public string FileOf(string stage, long step) => Path.Combine(Folder, stage, step.ToString("D8", Invariant) + Extension);

    /// <summary>The steps of a stage that are there, in their order.</summary>
    public IReadOnlyList<long> Steps(string stage) =>
    [
        .. Below(new DirectoryInfo(Path.Combine(Folder, stage)))
            .Where(f => f.Extension == Extension)
            .Select(f => long.TryParse(Path.GetFileNameWithoutExtension(f.Name), NumberStyles.None, Invariant, out var step) ? step : 0)
            .Where(step => step > 0).Order(),
    ];

    /// <summary>
    /// Keeps the thoughts of a step, unless they are there: a step that is executed again has the same. Then the oldest steps go until the
    /// rest takes no more than <paramref name="bytes"/>; one stays, whatever its size.
    /// </summary>
    /// <exception cref="IOException">The disk does not take it.</exception>
    /// <exception cref="UnauthorizedAccessException">As above.</exception>
    public void Keep(string stage, long step, IEnumerable<ScoredGroup> groups, long bytes)
    {
        kept ??= Find();
        var file = FileOf(stage, step);
        if (File.Exists(file)) return;
        ThoughtFile.Write(file, step, groups);
        kept[file] = new FileInfo(file).Length;
        while (kept.Count > 1 && kept.Values.Sum() > bytes)
        {
            var oldest = kept.First().Key;
            File.Delete(oldest);
            kept.Remove(oldest);
        }
    }

    private SortedDictionary<string, long> Find()
    {
        var found = new SortedDictionary<string, long>(StringComparer.Ordinal);
        var folder = new DirectoryInfo(Folder);
        foreach (var file in folder.Exists ? folder.EnumerateDirectories().SelectMany(Below) : [])
            if (file.Name.StartsWith('.')) file.Delete(); // what a process that died was writing
            else if (file.Extension == Extension) found.Add(file.FullName, file.Length);
        return found;
    }

    private static IEnumerable<FileInfo> Below(DirectoryInfo folder) => folder.Exists ? folder.EnumerateFiles() : [];
}
