using System.Collections.Concurrent;
using System.Diagnostics;
using Rlp.Actors.Telemetry;
using Rlp.Protocol.Events;
using Rlp.Protocol.Runs;

namespace Rlp.Actors.Tests.Telemetry;

/// <summary>Each step of a run over several nodes is one trace, with what every node did for it.</summary>
public sealed class StepTraceTests : IDisposable
{
    private readonly TemporaryFolder folder = new();
    private readonly ConcurrentQueue<Activity> ended = new();
    private readonly ActivityListener listener;
    private readonly string run = $"traced-{Guid.NewGuid():N}";

    public StepTraceTests()
    {
        listener = new ActivityListener
        {
            ShouldListenTo = source => source.Name == NodeTelemetry.Name,
            Sample = (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllDataAndRecorded,
            ActivityStopped = ended.Enqueue,
        };
        ActivitySource.AddActivityListener(listener);
    }

    public void Dispose()
    {
        listener.Dispose();
        folder.Dispose();
    }

    [Fact]
    public async Task A_step_is_one_trace_from_its_plan_to_its_journaled_end()
    {
        await using var cluster = new TestCluster(folder.Path, new FakeEngines());
        await cluster.AddAsync("boss", true);
        foreach (var role in Enum.GetValues<Role>())
            await cluster.AddAsync(role.ToString(), false, role);
        var recipe = Recipes.Full();
        await cluster["boss"].Runs.SubmitAsync(run, recipe);
        await TestNode.EventuallyAsync(async () => (await cluster["boss"].Runs.ReportAsync(run)).Status == RunStatus.Completed, "the run is complete");

        var steps = ended.Where(a => a.OperationName == "step" && Tag(a, "rlp.run") == run).ToArray();
        Assert.Equal(cluster["boss"].Journal.Events(run).OfType<StepApplied>().Count(), steps.Length);
        Assert.Equal(steps.Length, steps.Select(s => s.TraceId).Distinct().Count());
        foreach (var step in steps)
        {
            var parts = ended.Where(a => a.TraceId == step.TraceId && a != step).ToArray();
            Assert.All(parts, part => Assert.Equal(step.SpanId, part.ParentSpanId));
            Assert.All(parts, part => Assert.InRange(part.StartTimeUtc, step.StartTimeUtc, step.StartTimeUtc + step.Duration));
            Assert.Equal(ActivityStatusCode.Unset, step.Status);
            string[] expected = Tag(step, "rlp.stage") == "rlp"
                ? ["data", "ema", "journal", "learner", "plan", "reward", "rollout"]
                : ["data", "journal", "learner", "plan"];
            Assert.Equal(expected, parts.Select(p => p.OperationName).Distinct().Order(StringComparer.Ordinal));
            Assert.All(parts.Where(p => p.OperationName == "rollout"), p => Assert.Equal("Rollout", Tag(p, "rlp.node")));
        }
    }

    private static string? Tag(Activity activity, string name) => activity.GetTagItem(name)?.ToString();
}
