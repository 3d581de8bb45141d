using Rlp.Actors.Workers;
using Rlp.Protocol.Events;
using Rlp.Protocol.Payloads;
using Rlp.Protocol.Runs;
using Rlp.Training;
using Rlp.Training.Engines;
using Rlp.Training.Recipes;

namespace Rlp.Actors.Replays;

/// <summary>A step that was executed again: what came out, and where that is not what the journal holds.</summary>
public sealed record ReplayedStep(StepHistory Journaled, StepApplied Applied, IReadOnlyList<Divergence> Divergences);

/// <summary>
/// The steps of one stage, executed again one after another as the journal planned them: the same data, lanes and policy versions. Belongs to the
/// thread that opened it, as its engines do.
/// </summary>
public sealed class StageReplay : IDisposable
{
    private readonly string runId;
    private readonly StageHistory stage;
    private readonly StageSettings settings;
    private readonly BareLoop loop;
    private bool diverged;

    internal StageReplay(string runId, StageHistory stage, StageSettings settings, BareLoop loop, WireCheckpoint? from, int threads)
    {
        (this.runId, this.stage, this.settings, this.loop) = (runId, stage, settings, loop);
        (From, Threads) = (from, threads);
        Start = loop.Step;
    }

    /// <summary>The checkpoint it began with; null: random weights or the recipe's model.</summary>
    public WireCheckpoint? From { get; }

    /// <summary>Threads of the node that its engines compute as on, see <see cref="ThreadPlan"/>.</summary>
    public int Threads { get; }

    /// <summary>The last step that it began after; 0: the stage's start.</summary>
    public long Start { get; }

    /// <summary>The last step that was executed again.</summary>
    public long Step => loop.Step;

    /// <summary>Executes the next journaled step. After a divergence there is none: what follows would differ for that reason alone.</summary>
    /// <exception cref="InvalidOperationException">No journaled step is left, or the one before diverged.</exception>
    public ReplayedStep Next()
    {
        if (diverged || Step == stage.Steps.Count)
            throw new InvalidOperationException($"stage '{stage.Stage}' of run '{runId}' has no step to execute again after step {Step}{(diverged ? ", which diverged" : "")}");
        var journaled = stage.Steps[(int)Step];
        var data = loop.Load();
        var plan = DivergencesOf(journaled.Planned, data).ToArray();
        var result = plan.Length > 0 ? new ReplayedStep(journaled, journaled.Applied, plan) : Execute(journaled, data);
        diverged = result.Divergences.Count > 0;
        return result;
    }

    /// <summary>Writes a checkpoint of the state after <see cref="Step"/> into the target's folder.</summary>
    internal CheckpointReference Save() => loop.Save();

    public void Dispose() => loop.Dispose();

    /// <summary>What would be executed and is not what was planned then.</summary>
    private IEnumerable<Divergence> DivergencesOf(StepPlanned planned, StepData data)
    {
        foreach (var divergence in Reproduction.Divergences(planned.CursorFrom, WireFormat.Write(data.From))
            .Concat(Reproduction.Divergences(planned.CursorTo, WireFormat.Write(data.To))))
            yield return divergence;
        var (groups, found) = (planned.Lanes.SelectMany(l => l.Groups).ToArray(), data.Positions.Select(p => p.Group).ToArray());
        if (!groups.SequenceEqual(found))
            yield return new Divergence("lanes", string.Join(", ", groups), string.Join(", ", found));
        var version = settings.Rlp?.BehaviourVersion(planned.Step) ?? planned.Step - 1;
        if (planned.PolicyVersion != version)
            yield return new Divergence("policy_version of the plan", $"{planned.PolicyVersion}", $"{version}");
    }

    private ReplayedStep Execute(StepHistory journaled, StepData data)
    {
        var planned = journaled.Planned;
        var (applied, scored) = loop.Next(data, planned.PolicyVersion, planned.Lanes.Select(l => l.Groups));
        WireGroup[] groups = [.. scored.Select(g => WireFormat.Write(g.Sampled) with { TeacherEvidence = g.TeacherEvidence })];
        var found = new StepApplied
        {
            RunId = runId,
            Stage = stage.Stage,
            Step = applied.Step,
            PolicyVersion = applied.PolicyVersion,
            Loss = applied.Loss,
            GradNorm = applied.GradNorm,
            RewardMean = planned.Lanes.Length > 0 ? groups.SelectMany(RunDecisions.Rewards).DefaultIfEmpty(0).Average() : null,
            ParametersSha256 = applied.ParametersSha256,
            ThoughtsSha256 = planned.Lanes.Length > 0 ? ThoughtDigest.OfStep(groups.Select(g => (g.Position.Group, g.ThoughtsSha256))) : null,
            Metrics = new Dictionary<string, double>(applied.Metrics),
            InputTokens = applied.InputTokens,
            Flops = applied.Flops,
        };
        return new ReplayedStep(journaled, found,
        [
            .. groups.SelectMany(g => journaled.Groups.TryGetValue(g.Position.Group, out var accepted)
                ? Reproduction.Divergences(accepted, RunDecisions.Accepted(g))
                : [new Divergence($"group {g.Position.Group}", "none", g.ThoughtsSha256)]),
            .. Reproduction.Divergences(journaled.Applied, found),
            .. Reproduction.Divergences(journaled.Applied.Metrics, found.Metrics),
        ]);
    }
}
