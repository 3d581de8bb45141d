using System.Globalization;
using Rlp.Training.Engines;

namespace Rlp.Training.Thoughts;

/// <summary>The kept thoughts of a run: RUN/thoughts/STAGE/STEP.parquet, see <see cref="ThoughtFile"/>. One process writes it at a time.</summary>
public sealed class ThoughtFolder(string runFolder)
{
    private const string Extension = ".parquet";

    private readonly string folder = Path.Combine(Path.GetFullPath(runFolder), "thoughts");

    /// <summary>The files by their paths, whose order is that of the steps, with their sizes in bytes.</summary>
    private SortedDictionary<string, long>? kept;

    public string FileOf(string stage, long step) => Path.Combine(folder, stage, $"{step.ToString("D8", CultureInfo.InvariantCulture)}{Extension}");

    /// <summary>The steps of a stage that are there, in their order.</summary>
    public IReadOnlyList<long> Steps(string stage) =>
    [
        .. Files(Path.Combine(folder, stage))
            .Select(f => long.TryParse(Path.GetFileNameWithoutExtension(f.Name), NumberStyles.None, CultureInfo.InvariantCulture, out var step) ? step : -1)
            .Where(step => step >= 0).Order(),
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
        foreach (var file in Directory.Exists(folder) ? new DirectoryInfo(folder).EnumerateDirectories().SelectMany(d => d.EnumerateFiles()) : [])
            if (file.Name.StartsWith('.')) file.Delete(); // what a process that died was writing
            else if (file.Extension == Extension) found.Add(file.FullName, file.Length);
        return found;
    }

    private static IEnumerable<FileInfo> Files(string folder) => Directory.Exists(folder) ? new DirectoryInfo(folder).EnumerateFiles($"*{Extension}") : [];
}
