using ProtoBuf;
using Rlp.Protocol.Events;

namespace Rlp.Protocol.Runs;

/// <summary>What losses have cost a run so far: a pure function of its journal.</summary>
[ProtoContract]
public sealed record RecoveryTotals
{
    /// <summary>Times that something was lost and the run went on.</summary>
    [ProtoMember(1)] public long Recoveries { get; init; }

    /// <summary>From the last sign of life to the loss being known, summed; seconds.</summary>
    [ProtoMember(2)] public double DetectionSeconds { get; init; }

    /// <summary>From then to the next newly applied step, summed; seconds.</summary>
    [ProtoMember(3)] public double RecoverySeconds { get; init; }

    /// <summary>Steps executed again that the journal held already.</summary>
    [ProtoMember(4)] public long RedoneSteps { get; init; }

    /// <summary>Groups that arrived a second time and were dropped.</summary>
    [ProtoMember(5)] public long DuplicateGroups { get; init; }

    /// <summary>When the last event with a time was journaled.</summary>
    [ProtoMember(6)] public long LastUnixMilliseconds { get; init; }

    /// <summary>Time in which nobody wanted the run to run: paused, or failed and not resumed yet.</summary>
    [ProtoMember(7)] public long IdleMilliseconds { get; init; }

    /// <summary>Accepted groups that were executed again and came out as others: what the journal accepted cannot be had any more.</summary>
    [ProtoMember(8)] public long LostGroups { get; init; }

    public RecoveryTotals Apply(IRunEvent @event) => @event switch
    {
        RunCreated e => this with { LastUnixMilliseconds = e.CreatedUnixMilliseconds },
        StepApplied e => this with { LastUnixMilliseconds = Math.Max(LastUnixMilliseconds, e.AtUnixMilliseconds) }, // a fork's first ones are older than it
        NodeLost e => this with { LastUnixMilliseconds = e.AtUnixMilliseconds },
        NodeJoined e => this with { LastUnixMilliseconds = e.AtUnixMilliseconds },
        RunResumed { After: "interrupted" } e => this with { LastUnixMilliseconds = Math.Max(LastUnixMilliseconds, e.AtUnixMilliseconds) },
        RunResumed e => this with
        {
            LastUnixMilliseconds = Math.Max(LastUnixMilliseconds, e.AtUnixMilliseconds),
            IdleMilliseconds = IdleMilliseconds + Math.Max(0, e.AtUnixMilliseconds - LastUnixMilliseconds),
        },
        RunRecovered e => this with
        {
            Recoveries = Recoveries + 1,
            DetectionSeconds = DetectionSeconds + e.DetectionSeconds,
            RecoverySeconds = RecoverySeconds + e.RecoverySeconds,
            RedoneSteps = RedoneSteps + e.RedoneSteps,
            DuplicateGroups = DuplicateGroups + e.DuplicateGroups,
        },
        ReplayDiverged => this with { LostGroups = LostGroups + 1 },
        _ => this,
    };

    /// <summary>
    /// The figures by their public names. recovery/ettr, the effective training time ratio, is the share of the time in which the run was to run
    /// that was not spent between a loss and the next newly applied step.
    /// </summary>
    /// <param name="createdUnixMilliseconds">When the run was created.</param>
    public IReadOnlyDictionary<string, double> Metrics(long createdUnixMilliseconds)
    {
        var wanted = Math.Max(0, LastUnixMilliseconds - createdUnixMilliseconds - IdleMilliseconds) / 1000.0;
        var lost = DetectionSeconds + RecoverySeconds;
        return new Dictionary<string, double>
        {
            ["recovery/count"] = Recoveries,
            ["recovery/mttd_s"] = Recoveries == 0 ? 0 : DetectionSeconds / Recoveries,
            ["recovery/mttr_s"] = Recoveries == 0 ? 0 : RecoverySeconds / Recoveries,
            ["recovery/ettr"] = wanted <= 0 ? 1 : Math.Clamp(1 - lost / wanted, 0, 1),
            ["recovery/redone_steps"] = RedoneSteps,
            ["recovery/lost_groups"] = LostGroups,
            ["recovery/duplicate_groups"] = DuplicateGroups,
        };
    }
}
