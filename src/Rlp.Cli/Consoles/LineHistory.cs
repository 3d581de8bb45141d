namespace Rlp.Cli.Consoles;

/// <summary>The lines that were entered before, oldest first, in a file of the user's. Without that file it works, for as long as the process does.</summary>
/// <param name="path">Null: no file.</param>
internal sealed class LineHistory(string? path)
{
    private const int Most = 1000;

    private readonly List<string> lines = Load(path);

    /// <summary>rlp/console-history in the user's state folder: $XDG_STATE_HOME, else ~/.local/state.</summary>
    public static string StandardPath => Path.Combine(
        Environment.GetEnvironmentVariable("XDG_STATE_HOME") is { Length: > 0 } state
            ? state
            : Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".local", "state"),
        "rlp",
        "console-history");

    public IReadOnlyList<string> Lines => lines;

    /// <summary>Keeps a line, unless it is the last one again.</summary>
    public void Add(string line)
    {
        if (line.Length == 0 || (lines.Count > 0 && lines[^1] == line)) return;
        lines.Add(line);
        if (lines.Count > Most) lines.RemoveRange(0, lines.Count - Most);
        if (path is null) return;
        try
        {
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            File.WriteAllLines(path, lines);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // a command is worth more than its memory
        }
    }

    private static List<string> Load(string? path)
    {
        try
        {
            return path is not null && File.Exists(path) ? [.. File.ReadLines(path).Where(l => l.Length > 0).TakeLast(Most)] : [];
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return [];
        }
    }
}
