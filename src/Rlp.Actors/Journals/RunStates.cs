using System.Collections.Concurrent;
using Rlp.Protocol.Runs;

namespace Rlp.Actors.Journals;

/// <summary>
/// The runs' states for those who ask again and again: a run's journal only grows, so that each question reads what was journaled since the last.
/// </summary>
public sealed class RunStates(RunJournal journal)
{
    private readonly ConcurrentDictionary<string, (long Number, RunState State)> known = new(StringComparer.Ordinal);

    /// <summary><see cref="RunState.Empty"/> where no such run exists.</summary>
    public RunState Of(string runId)
    {
        var newest = journal.Read(runId, known.TryGetValue(runId, out var held) ? held.Number : 0)
            .Aggregate(held.State is null ? (0L, RunState.Empty) : held, (at, e) => (e.Number, at.Item2.Apply(e.Event)));
        if (newest.Item1 > 0)
            known[runId] = newest;
        return newest.Item2;
    }
}
