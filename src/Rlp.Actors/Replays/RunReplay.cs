using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Rlp.Actors.Hosting;
using Rlp.Actors.Runs;
using Rlp.Actors.Workers;
using Rlp.Corpora;
using Rlp.Models;
using Rlp.Protocol.Events;
using Rlp.Protocol.Payloads;
using Rlp.Protocol.Runs;
using Rlp.Training;
using Rlp.Training.Checkpoints;
using Rlp.Training.Engines;
using Rlp.Training.Recipes;
using Rlp.Training.Weights;

namespace Rlp.Actors.Replays;

/// <summary>
/// Executes steps of a journaled run again: in this process, on the calling thread, without actors. Only reads journal and folder, so that the
/// run may go on meanwhile.
/// </summary>
public sealed class RunReplay
{
    private readonly IEngineFactory engines;
    private readonly RunCheckpoints checkpoints;

    /// <param name="events">The run's journal.</param>
    /// <param name="runFolder">The run's folder, where its checkpoints lie.</param>
    /// <exception cref="ReplayImpossibleException">The recipe is of another version, or was changed.</exception>
    public RunReplay(IEngineFactory engines, IReadOnlyList<IRunEvent> events, string runFolder)
    {
        this.engines = engines;
        checkpoints = new RunCheckpoints(runFolder);
        State = events.Aggregate(RunState.Empty, (state, e) => state.Apply(e));
        Stages = StageHistory.Of(events);
        try
        {
            Recipe = Recipe.FromJson(State.RecipeJson);
        }
        catch (JsonException e)
        {
            throw new ReplayImpossibleException($"the recipe of run '{State.RunId}' is none of this version: {e.Message}", e);
        }
        var digest = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(State.RecipeJson)));
        if (digest != State.RecipeSha256)
            throw new ReplayImpossibleException($"the journaled recipe of run '{State.RunId}' has the digest {digest}, but the run was created with {State.RecipeSha256}: it was changed");
    }

    public RunState State { get; }

    public Recipe Recipe { get; }

    /// <summary>The stages that the run has begun, in their order.</summary>
    public IReadOnlyList<StageHistory> Stages { get; }

    /// <summary>The steps of a stage that this run's recipe has executed: a fork has the others from the run it comes from. Empty where To is below From.</summary>
    /// <exception cref="ReplayImpossibleException">The run has not begun such a stage.</exception>
    public (long From, long To) OwnSteps(string stage)
    {
        var history = HistoryOf(stage);
        return (InheritedSteps(history) + 1, history.Steps.Count);
    }

    /// <summary>
    /// Opens the stage's engines so that the step is ahead: from the newest usable checkpoint before it, else from the stage's start.
    /// </summary>
    /// <param name="step">The first step that is wanted; at least 1.</param>
    /// <param name="notice">Hears of checkpoints that cannot be used.</param>
    /// <param name="target">Whose checkpoints the replay writes, by run id and folder; null: it writes none.</param>
    /// <exception cref="ReplayImpossibleException">Nothing is left to start from, or corpus, model or tokenizer are not there or others.</exception>
    public StageReplay Open(string stage, long step, Action<string>? notice = null, (string RunId, string Folder)? target = null)
    {
        var history = HistoryOf(stage);
        var inherited = InheritedSteps(history);
        if (step <= inherited)
            throw new ReplayImpossibleException(
                $"the steps up to {inherited} of stage '{stage}' were executed by run '{State.Lineage!.RunId}', of which '{State.RunId}' is a fork; ask for them there");
        if (step > history.Steps.Count + 1)
            throw new ReplayImpossibleException($"run '{State.RunId}' has applied {history.Steps.Count} steps of stage '{stage}', not {step}");
        var settings = Recipe.Stage(stage);
        // The thread count is one of the things that decide the bits: that of the process that applied the first step, not this one's.
        var environment = step <= history.Steps.Count ? history.Steps[(int)step - 1].Environment : State.Environment;
        var threads = ThreadPlan.Of(environment.Threads);
        var context = new StageContext(
            target?.RunId ?? State.RunId, Recipe, settings, target?.Folder ?? "", threads.For(settings).IntraOp, new NodeWeights());
        var tried = new List<string>();
        foreach (var checkpoint in Beginnings(history, step, inherited))
            try
            {
                var start = checkpoint?.Stage == stage ? checkpoint.Step : 0;
                var cursor = start == 0 ? default : WireFormat.Read(history.Steps[(int)start - 1].Planned.CursorTo);
                var loop = new BareLoop(engines, context, WireFormat.Read(checkpoints.Absolute(checkpoint)), cursor);
                return new StageReplay(State.RunId, history, settings, loop, checkpoint, threads.KernelThreads);
            }
            catch (Exception e) when (checkpoint is not null && e is CheckpointException or IOException or UnauthorizedAccessException)
            {
                tried.Add(e.Message);
                notice?.Invoke($"the checkpoint of stage '{checkpoint.Stage}' step {checkpoint.Step} cannot be used: {e.Message}");
            }
            catch (Exception e) when (e is CorpusException or ModelFormatException or CheckpointException)
            {
                throw new ReplayImpossibleException($"stage '{stage}' of run '{State.RunId}' cannot be opened: {e.Message}", e);
            }
        throw new ReplayImpossibleException(
            $"step {step} of stage '{stage}' cannot be executed again: no checkpoint to start from is left in {checkpoints.Folder}"
            + (tried.Count == 0 ? " (older ones are pruned)" : $": {string.Join("; ", tried)}"));
    }

    /// <summary>What this machine is where it is not what the journal says of the process that applied the step; empty where nothing differs.</summary>
    public static IReadOnlyList<string> OtherEnvironment(StepHistory step, int threads)
    {
        var here = NodeEnvironment.Describe(threads);
        var (then, differences) = (step.Environment, new List<string>());
        if (then.MachineKind != here.MachineKind)
            differences.Add($"machine: {here.MachineKind}; the journal says {then.MachineKind}");
        if (ThreadPlan.Of(then.Threads).KernelThreads != threads)
            differences.Add($"threads: {threads}; the journal says {then.Threads}");
        foreach (var (name, version) in then.Versions.OrderBy(v => v.Key, StringComparer.Ordinal))
            if (here.Versions.GetValueOrDefault(name) is var found && found != version)
                differences.Add($"{name}: {found ?? "none"}; the journal says {version}");
        return differences;
    }

    private StageHistory HistoryOf(string stage) => Stages.FirstOrDefault(s => s.Stage == stage) ?? throw new ReplayImpossibleException(
        $"run '{State.RunId}' has not begun a stage '{stage}'; it has begun {(Stages.Count == 0 ? "none" : string.Join(", ", Stages.Select(s => s.Stage)))}");

    /// <summary>Of a fork's steps those that its own recipe did not execute.</summary>
    private long InheritedSteps(StageHistory stage)
    {
        if (State.Lineage is not { } lineage)
            return 0;
        if (stage.Stage == lineage.Stage)
            return lineage.Step;
        var order = State.Plan.Stages.Select(s => s.Id).ToList();
        return order.IndexOf(stage.Stage) < order.IndexOf(lineage.Stage) ? stage.Steps.Count : 0;
    }

    /// <summary>Own checkpoints before the step, the newest first; then what the stage began with, where this run began it.</summary>
    private IEnumerable<WireCheckpoint?> Beginnings(StageHistory stage, long step, long inherited)
    {
        foreach (var own in stage.Checkpoints.Where(c => c.Step < step).Reverse().DistinctBy(c => c.Step).OrderByDescending(c => c.Step))
            if (Directory.Exists(checkpoints.Absolute(own)!.Path))
                yield return own;
        if (inherited == 0)
            yield return stage.StartedFrom;
    }
}
