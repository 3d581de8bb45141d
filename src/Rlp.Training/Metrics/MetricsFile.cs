using System.Text;

namespace Rlp.Training.Metrics;

/// <summary>
/// runs/ID/metrics.jsonl: one <see cref="MetricLine"/> per applied step, handed to the operating system line by line. A step is written
/// once, however often it is executed again after a crash. Not for use by several threads at a time.
/// </summary>
public sealed class MetricsFile : IDisposable
{
    /// <summary>No honest line comes near it; a longer one means that the file is something else.</summary>
    private const int LongestLine = 1 << 20;

    private readonly string path;
    private readonly HashSet<(string Stage, long Step)> written = [];
    private FileStream stream;

    private MetricsFile(string path, FileStream stream) => (this.path, this.stream) = (path, stream);

    /// <summary>Opens or creates the file, cutting off a last line that a crash left half-written.</summary>
    /// <exception cref="InvalidDataException">A line before the last is not a line of metrics; the message names it.</exception>
    public static MetricsFile Open(string path)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(Path.GetFullPath(path))!);
        var stream = new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.Read);
        try
        {
            var file = new MetricsFile(path, stream);
            var end = Scan(stream, path, line => file.written.Add((line.Stage, line.Step)));
            stream.SetLength(end);
            stream.Position = end;
            return file;
        }
        catch
        {
            stream.Dispose();
            throw;
        }
    }

    /// <summary>The points of a file, line by line; a last line that is not finished is left out.</summary>
    /// <exception cref="InvalidDataException">A line before the last is not a line of metrics; the message names it.</exception>
    public static IReadOnlyList<MetricPoint> Read(string path)
    {
        var points = new List<MetricPoint>();
        using var stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
        Scan(stream, path, line => points.AddRange(line.Values.Select(v => new MetricPoint(line.Stage, line.Step, v.Key, v.Value))));
        return points;
    }

    public bool Contains(string stage, long step) => written.Contains((stage, step));

    /// <summary>Appends the line unless its step is already in the file; says whether it did.</summary>
    public bool Append(MetricLine line)
    {
        if (Contains(line.Stage, line.Step)) return false;
        stream.Write(Encoding.UTF8.GetBytes(line.ToJson() + "\n"));
        stream.Flush();
        written.Add((line.Stage, line.Step)); // after the write: a full disk leaves the step to be written again
        return true;
    }

    /// <summary>
    /// Replaces the whole file by these lines (the journal's, after a recovery), atomically; of lines for one step the first counts.
    /// </summary>
    public void Rewrite(IEnumerable<MetricLine> lines)
    {
        var rewritten = new HashSet<(string, long)>();
        AtomicFile.Write(path, replacement =>
        {
            foreach (var line in lines)
                if (rewritten.Add((line.Stage, line.Step)))
                    replacement.Write(Encoding.UTF8.GetBytes(line.ToJson() + "\n"));
        });
        stream.Dispose(); // it holds the replaced file
        stream = new FileStream(path, FileMode.Append, FileAccess.Write, FileShare.Read);
        written.Clear();
        written.UnionWith(rewritten);
    }

    public void Dispose() => stream.Dispose();

    /// <summary>
    /// Hands over each line; returns where the last good one ends. Only the last line may be bad: a crash can leave no other.
    /// </summary>
    private static long Scan(FileStream stream, string path, Action<MetricLine> visit)
    {
        var (number, end, at) = (0, 0L, 0L);
        using var line = new MemoryStream();
        FormatException? bad = null;
        var buffer = new byte[1 << 16];
        for (int count; (count = stream.Read(buffer)) > 0;)
        {
            for (var rest = buffer.AsSpan(0, count); rest.Length > 0;)
            {
                if (bad is not null) throw new InvalidDataException($"{path}, line {number}: {bad.Message}; mend or remove the line", bad);
                var breakAt = rest.IndexOf((byte)'\n');
                var part = breakAt < 0 ? rest : rest[..breakAt];
                line.Write(part);
                if (line.Length > LongestLine)
                    throw new InvalidDataException($"{path}, line {number + 1}: longer than {LongestLine} bytes; not a file of metrics");
                at += part.Length;
                rest = rest[part.Length..];
                if (breakAt < 0) continue;
                rest = rest[1..];
                at++;
                number++;
                try
                {
                    visit(MetricLine.Parse(line.GetBuffer().AsMemory(0, (int)line.Length)));
                    end = at;
                }
                catch (FormatException e)
                {
                    bad = e;
                }
                line.SetLength(0);
            }
        }
        return end;
    }
}
