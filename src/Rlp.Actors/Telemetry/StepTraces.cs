using System.Diagnostics;
using Rlp.Protocol.Events;
using Rlp.Protocol.Payloads;

namespace Rlp.Actors.Telemetry;

/// <summary>
/// One trace for each step of a run, over all nodes: the run entity's `step` with `plan`, `data` and `journal` below it, and what the workers add
/// under the trace parent that their requests carry. Used on the run entity's thread.
/// </summary>
internal sealed class StepTraces(string runId)
{
    private readonly Dictionary<long, Activity> steps = [];
    private readonly Dictionary<WireCursor, (DateTimeOffset From, DateTimeOffset To)> loads = [];

    /// <summary>What a request for the step's work carries (W3C traceparent); empty where nobody records.</summary>
    public string ParentOf(string stage, long step) => Step(stage, step)?.Id ?? "";

    /// <summary>Data that a later step will use have come.</summary>
    public void Loaded(WireCursor from, DateTimeOffset since)
    {
        if (NodeTelemetry.Source.HasListeners())
            loads[from] = (since, DateTimeOffset.UtcNow);
    }

    /// <summary>Events are durable that were handed to the journal then.</summary>
    public void Journaled(IReadOnlyList<IRunEvent> events, DateTimeOffset since)
    {
        if (!NodeTelemetry.Source.HasListeners())
            return;
        foreach (var @event in events)
            switch (@event)
            {
                case StepPlanned planned:
                    var begun = loads.Remove(planned.CursorFrom, out var load) && load.From < since ? load.From : since;
                    var step = Step(planned.Stage, planned.Step, begun);
                    if (load.To != default)
                        Add(step, "data", load.From, load.To);
                    Add(step, "plan", since, DateTimeOffset.UtcNow);
                    break;
                case GroupsAccepted accepted:
                    Add(Step(accepted.Stage, accepted.Step), "journal", since, DateTimeOffset.UtcNow, accepted);
                    break;
                case StepApplied applied:
                    Add(Step(applied.Stage, applied.Step), "journal", since, DateTimeOffset.UtcNow, applied);
                    End(applied.Step);
                    break;
            }
    }

    /// <summary>The step is done: applied, or replayed.</summary>
    public void End(long step, bool replayed = false)
    {
        if (!steps.Remove(step, out var activity))
            return;
        if (replayed)
            activity.SetTag("rlp.replayed", true);
        activity.Dispose();
    }

    /// <summary>What is in work is given up with the engines that held it.</summary>
    public void Abandon()
    {
        foreach (var activity in steps.Values)
        {
            activity.SetStatus(ActivityStatusCode.Error, "given up; the step is done again");
            activity.Dispose();
        }
        steps.Clear();
        loads.Clear();
    }

    private Activity? Step(string stage, long step, DateTimeOffset from = default)
    {
        if (steps.TryGetValue(step, out var known))
            return known;
        var outer = Activity.Current;
        Activity.Current = null;
        var begun = NodeTelemetry.Source.StartActivity(
            ActivityKind.Internal, tags: [new("rlp.run", runId), new("rlp.stage", stage), new("rlp.step", step)], startTime: from, name: "step");
        Activity.Current = outer; // the thread goes on with other actors
        if (begun is not null)
            steps[step] = begun;
        return begun;
    }

    private static void Add(Activity? step, string name, DateTimeOffset from, DateTimeOffset to, IRunEvent? what = null)
    {
        if (step is null)
            return;
        using var part = NodeTelemetry.Source.StartActivity(ActivityKind.Internal, step.Context, startTime: from, name: name);
        if (what is not null)
            part?.SetTag("rlp.event", what.GetType().Name);
        part?.SetEndTime(to.UtcDateTime);
    }
}
