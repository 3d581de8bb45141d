using System.Globalization;
using Rlp.Actors.Runs;
using Rlp.Protocol.Events;
using Rlp.Protocol.Payloads;
using Rlp.Protocol.Replies;
using Rlp.Protocol.Runs;
using Rlp.Training;
using Rlp.Training.Engines;
using Rlp.Training.Engines.Torch;
using Rlp.Training.Recipes;
using Rlp.Training.Weights;

namespace Rlp.Actors.Tests;

/// <summary>
/// The engines of libtorch give the same bits through the bare loop (the calling thread, no messages, no journal) and through the actor
/// system (five threads, every message through its bytes, stages that start from checkpoint folders, lanes that finish in any order).
/// </summary>
public sealed class BareLoopParityTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Theory]
    [InlineData(0)]
    [InlineData(1)] // the bare loop samples each step right before it is learned, the actors while the one before it is
    [InlineData(2)]
    public async Task The_actor_system_and_the_bare_loop_give_the_same_bits(int staleness)
    {
        var recipe = Recipes.Arithmetic(staleness: staleness);
        var (steps, evaluations) = Bare(recipe, folder.Sub("bare"));
        var (otherSteps, otherEvaluations) = Bare(Recipes.Arithmetic(seed: 2, staleness: staleness), folder.Sub("other"));

        await using var node = await TestNode.StartAsync(TestNode.OptionsFor(folder.Sub("actors"), new TorchEngineFactory()));
        var progress = await node.RunAsync("r", recipe);
        Assert.Equal(RunStatus.Completed, Assert.IsType<RunEnded>(progress[^1]).Status);
        var events = node.Journal.Events("r");
        var applied = events.OfType<StepApplied>().ToArray();

        Assert.Equal(4 + 3 + 3 + 5, steps.Count);
        Assert.Equal(steps, applied.Select(Line));
        Assert.Equal(evaluations, events.OfType<StageEvaluated>().Select(e => Line(e.Stage, e.Step, e.Result)));
        // Each figure depends on the seed: what is compared above could differ.
        foreach (var (step, other) in steps.Zip(otherSteps))
            Assert.DoesNotContain(step.Split(' ').Skip(2).Except(["-"]), figure => other.Split(' ').Contains(figure));
        Assert.NotEqual(evaluations, otherEvaluations);
        Assert.All(applied.Where(a => a.Stage == "rlp"), a => Assert.NotEqual(0, a.RewardMean));
        var (rlp, planned) = (applied.Where(a => a.Stage == "rlp"), events.OfType<StepPlanned>().Where(p => p.Stage == "rlp"));
        Assert.Equal(Enumerable.Range(1, 5).Select(s => (double)Math.Min(s - 1, staleness)), rlp.Select(a => a.Metrics["rlp/staleness"]));
        Assert.Equal(Enumerable.Range(1, 5).Select(s => Math.Max(0L, s - 1 - staleness)), planned.Select(p => p.PolicyVersion));
    }

    [Fact]
    public void The_run_plans_the_policy_versions_that_the_bare_loop_samples_with()
    {
        for (var staleness = 0; staleness <= RlpSettings.MaximumStaleness; staleness++)
            for (var step = 1; step <= 12; step++)
            {
                var plan = RunPlans.Of(Recipes.Arithmetic(staleness: staleness)).Stages.Single(s => s.Rlp);
                Assert.Equal(new RlpSettings { Staleness = staleness }.BehaviourVersion(step), plan.BehaviourVersion(step));
            }
    }

    [Fact]
    public void The_run_plans_the_lanes_that_the_bare_loop_executes()
    {
        for (var groups = 1; groups <= 9; groups++)
            for (var lanes = 1; lanes <= 6; lanes++)
            {
                var plan = new RunPlan { Stages = [new StagePlan { Id = "rlp", Rlp = true, Lanes = lanes, Steps = 1 }] };
                var state = RunState.Empty.Apply(new RunCreated { Plan = plan }).Apply(new StageStarted { Stage = "rlp" });
                var data = new DataLoaded { Positions = [.. Enumerable.Range(0, groups).Select(g => new WirePosition { Group = g })] };
                var execution = Execution.Nothing with { Stage = "rlp", Open = [.. Enum.GetValues<Role>()], Data = [data] };
                var planned = (StepPlanned)((RunAction.Journal)RunDecisions.Next(state, execution)).Events[0];
                Assert.Equal(LaneSlices.Of(groups, lanes).Select(slice => Enumerable.Range(0, groups).Take(slice)), planned.Lanes.Select(l => l.Groups));
            }
    }

    /// <summary>Each stage's steps, and the evaluations in the order in which the run makes them.</summary>
    private static (List<string> Steps, List<string> Evaluations) Bare(Recipe recipe, string runFolder)
    {
        var (steps, evaluations) = (new List<string>(), new List<string>());
        var (final, compared) = (new Dictionary<string, CheckpointReference>(), new Dictionary<string, string>());
        foreach (var stage in recipe.Stages)
        {
            var context = new StageContext("r", recipe, stage, runFolder, Threads: 1, new NodeWeights());
            using var loop = new BareLoop(new TorchEngineFactory(), context, stage.From is null ? null : final[stage.From]);
            for (var i = 1; i <= stage.Steps; i++)
            {
                steps.Add(Line(stage, loop.Next()));
                if (stage.EvaluateEvery > 0 && i % stage.EvaluateEvery == 0)
                    evaluations.Add(Line(stage.Id, i, loop.Evaluate(recipe.Compare!.ProblemsWhileTraining)));
            }
            final[stage.Id] = loop.Save();
            var row = stage.Id == "pretrain" ? "base" : stage.Id;
            compared[row] = Line(row, stage.Steps, loop.Evaluate(recipe.Compare!.Problems));
        }
        return (steps, [.. evaluations, .. ((string[])["base", "cpt", "cpt_thoughts", "rlp"]).Select(row => compared[row])]);
    }

    private static string Line(StageSettings stage, BareStep step)
    {
        var rlp = stage.Rlp is not null;
        return string.Create(CultureInfo.InvariantCulture, $"{stage.Id} {step.Applied.Step} {step.Applied.Loss:R} {step.Applied.GradNorm:R} ")
            + (rlp ? step.Groups.SelectMany(g => g.Rewards()).Average().ToString("R", CultureInfo.InvariantCulture) : "-")
            + $" {step.Applied.ParametersSha256} "
            + (rlp ? ThoughtDigest.OfStep(step.Groups.Select(g => (g.Sampled.Position.Group, g.Sampled.ThoughtsSha256()))) : "-");
    }

    private static string Line(StepApplied a) => string.Create(
        CultureInfo.InvariantCulture,
        $"{a.Stage} {a.Step} {a.Loss:R} {a.GradNorm:R} ") + (a.RewardMean?.ToString("R", CultureInfo.InvariantCulture) ?? "-")
        + $" {a.ParametersSha256} {a.ThoughtsSha256 ?? "-"}";

    private static string Line(string name, long step, EvaluationResult r) => string.Create(
        CultureInfo.InvariantCulture,
        $"{name} {step} {r.ThinkAccuracy:R} {r.NothinkAccuracy:R} {r.PredictedEvidence:R} {r.NothinkEvidence:R} {r.ThoughtLength:R}");

    private static string Line(string name, long step, WireEvaluation r) => string.Create(
        CultureInfo.InvariantCulture,
        $"{name} {step} {r.ThinkAccuracy:R} {r.NothinkAccuracy:R} {r.PredictedEvidence:R} {r.NothinkEvidence:R} {r.ThoughtLength:R}");
}
