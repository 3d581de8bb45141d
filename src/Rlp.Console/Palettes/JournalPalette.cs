using System.Runtime.CompilerServices;
using Rlp.Protocol;

namespace Rlp.Consoles.Palettes;

internal static class JournalPalette
{
    private static readonly Argument Type = new Argument("type", "-t", "only events of this type").OneOf([.. EventText.Types]);

    public static Palette Create() => new("journal", "The journal: what is durable of all runs.",
    [
        new("tail", "the newest events and then each one as it is journaled, until Ctrl-C",
            [CommonArguments.Run with { Mandatory = false, Description = "only of this run" }, Type, CommonArguments.Last(10, "how many of the newest to begin with")],
            "journal tail -r arithmetic-1", Tail),
        new("stats", "how many events each run has, their size and their time", [], "journal stats", Stats),
    ]);

    private static async IAsyncEnumerable<AnswerLine> Tail(Arguments arguments, IClusterView cluster, [EnumeratorCancellation] CancellationToken cancellation)
    {
        var events = arguments["run"] is { } run
            ? cluster.FollowAsync(await cluster.ExistingAsync(run, cancellation), cluster.Events(run).Last().Number - arguments.Last(), cancellation)
            : cluster.FollowAllAsync(arguments.Last(), cancellation);
        yield return new ColumnsLine(["at", "run", "number", "type", "what"], Streams: true);
        await foreach (var e in events)
            if (arguments["type"] is not { } type || EventText.TypeOf(e) == type)
                yield return new RowLine([Texts.Of(e.At), ((IRunMessage)e.Event).RunId, Texts.Of(e.Number), EventText.TypeOf(e), EventText.Members(e)]);
    }

    private static async IAsyncEnumerable<AnswerLine> Stats(Arguments arguments, IClusterView cluster, [EnumeratorCancellation] CancellationToken cancellation)
    {
        var counts = await cluster.CountJournalAsync(cancellation);
        yield return new ColumnsLine(["run", "events", "size", "first", "last"]);
        foreach (var run in counts) yield return new RowLine([run.RunId, Texts.Of(run.Events), Texts.Bytes(run.Bytes), Texts.Of(run.First), Texts.Of(run.Last)]);
        if (counts.Count > 1)
            yield return new RowLine(["all", Texts.Of(counts.Sum(c => c.Events)), Texts.Bytes(counts.Sum(c => c.Bytes)), Texts.Of(counts.Min(c => c.First)), Texts.Of(counts.Max(c => c.Last))]);
    }
}
