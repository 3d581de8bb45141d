namespace Rlp.Cli.Commands;

/// <summary>
/// How far long work has come, on standard error: one line that changes on a terminal, a line every ten seconds elsewhere. Work that is done
/// before the first is due shows nothing.
/// </summary>
internal sealed class ProgressLine : IDisposable
{
    private readonly long interval = Console.IsErrorRedirected ? 10_000 : 500; // milliseconds
    private long due;
    private int shown;

    public ProgressLine() => due = Environment.TickCount64 + interval;

    public void Show(Func<string> text)
    {
        if (Environment.TickCount64 < due) return;
        due = Environment.TickCount64 + interval;
        var line = text();
        if (Console.IsErrorRedirected)
        {
            Console.Error.WriteLine($"rlp: {line}");
            return;
        }
        Console.Error.Write($"\r{line.PadRight(shown)}");
        shown = line.Length;
    }

    /// <summary>Makes the line on the terminal free.</summary>
    public void Clear()
    {
        if (shown > 0) Console.Error.Write($"\r{new string(' ', shown)}\r");
        shown = 0;
    }

    public void Dispose() => Clear();
}
