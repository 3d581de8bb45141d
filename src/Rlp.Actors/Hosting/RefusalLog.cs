using System.Diagnostics;
using Akka.Event;
using Microsoft.Extensions.Logging;
using Rlp.Actors.Telemetry;
using LogLevel = Microsoft.Extensions.Logging.LogLevel;

namespace Rlp.Actors.Hosting;

/// <summary>
/// What the HTTP endpoint refuses, in the node's log: a few lines at a time, then only how many there were, so that no stranger can fill a disk.
/// </summary>
internal sealed class RefusalLog : ILoggerProvider
{
    private const int LinesAtOnce = 20;
    private static readonly TimeSpan Period = TimeSpan.FromSeconds(10);

    private readonly Lock gate = new();
    private ILoggingAdapter? log;
    private long began = Stopwatch.GetTimestamp();
    private int lines;
    private long unsaid;

    /// <summary>Where the lines go from now on; what comes before is not kept.</summary>
    public void WriteTo(ILoggingAdapter target) => log = target;

    public void Add(string refusal)
    {
        NodeTelemetry.Refusals.Add(1);
        string? summary = null;
        lock (gate)
        {
            if (Stopwatch.GetElapsedTime(began) > Period)
            {
                if (unsaid > 0) summary = $"and {unsaid} more refusals of the HTTP endpoint in the {Stopwatch.GetElapsedTime(began).TotalSeconds:0} s before";
                (began, lines, unsaid) = (Stopwatch.GetTimestamp(), 0, 0);
            }
            if (++lines > LinesAtOnce)
            {
                unsaid++;
                return;
            }
        }
        if (summary is not null) log?.Warning("{0}", summary);
        log?.Warning("HTTP endpoint: {0}", refusal);
    }

    public ILogger CreateLogger(string categoryName) => new Forward(this);

    public void Dispose()
    {
    }

    private sealed class Forward(RefusalLog refusals) : ILogger
    {
        public IDisposable? BeginScope<TState>(TState state) where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => logLevel != LogLevel.None;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
            refusals.Add(exception is null ? formatter(state, exception) : $"{formatter(state, exception)} {exception.Message}");
    }
}
