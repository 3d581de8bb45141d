using System.Globalization;
using Akka.Actor;
using Akka.Event;

namespace Rlp.Actors.Hosting;

/// <summary>
/// The actor system's log: warnings and errors in a file, so that a terminal shows the run and nothing else. A file past
/// <see cref="Largest"/> bytes is kept once as .old and begun anew.
/// </summary>
public sealed class LogFile : ReceiveActor
{
    public const long Largest = 16 << 20;

    public const string PathKey = "rlp.log-file";

    private readonly string path;
    private StreamWriter? writer;

    public LogFile()
    {
        path = Context.System.Settings.Config.GetString(PathKey);
        Receive<InitializeLogger>(_ =>
        {
            writer = Open();
            Sender.Tell(new LoggerInitialized());
        });
        Receive<LogEvent>(Write);
    }

    protected override void PostStop() => writer?.Dispose();

    private void Write(LogEvent entry)
    {
        if (writer is null)
            return;
        writer.WriteLine(string.Create(
            CultureInfo.InvariantCulture, $"{entry.Timestamp:O} {entry.LogLevel().ToString()[..^5].ToUpperInvariant()} {entry.LogSource} {entry.Message}"));
        if (entry.Cause is { } cause)
            writer.WriteLine(cause);
        writer.Flush();
        if (writer.BaseStream.Length > Largest)
        {
            writer.Dispose();
            File.Move(path, path + ".old", overwrite: true);
            writer = Open();
        }
    }

    // Shared, because two processes may run two runs of one folder.
    private StreamWriter Open() => new(new FileStream(path, FileMode.Append, FileAccess.Write, FileShare.ReadWrite | FileShare.Delete));
}
