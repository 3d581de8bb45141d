using Rlp.Actors.Replays;
using Rlp.Protocol.Events;
using Rlp.Protocol.Payloads;
using Rlp.Protocol.Replies;
using Rlp.Protocol.Runs;
using Rlp.Training.Engines.Torch;

namespace Rlp.Actors.Tests;

/// <summary>Steps that the actor system executed, executed again on one thread from a checkpoint or a stage's start.</summary>
public sealed class ReplayTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    /// <summary>A complete run, and its folder as it was when step 4 of stage rlp had a checkpoint: later older ones are pruned.</summary>
    private async Task<(IReadOnlyList<IRunEvent> Events, string Final, string AtStep4)> Executed(int staleness = 0)
    {
        var (runs, copy) = (folder.Sub("runs"), folder.Sub("copy"));
        var options = TestNode.OptionsFor(runs, new TorchEngineFactory()) with
        {
            OnJournal = (events, durable) =>
            {
                if (durable && events is [CheckpointCommitted { Stage: "rlp", Step: 4 }])
                    Copy(Path.Combine(runs, "r"), copy);
            },
        };
        await using var node = await TestNode.StartAsync(options);
        var progress = await node.RunAsync("r", Recipes.Arithmetic(staleness: staleness));
        Assert.Equal(RunStatus.Completed, Assert.IsType<RunEnded>(progress[^1]).Status);
        return (node.Journal.Events("r"), Path.Combine(runs, "r"), copy);
    }

    private static void Copy(string from, string to)
    {
        foreach (var file in Directory.EnumerateFiles(from, "*.*", SearchOption.AllDirectories).Where(f => Path.GetFileName(f) != "lock"))
        {
            var target = Path.Combine(to, Path.GetRelativePath(from, file));
            Directory.CreateDirectory(Path.GetDirectoryName(target)!);
            File.Copy(file, target);
        }
    }

    private static RunReplay Replay(IReadOnlyList<IRunEvent> events, string runFolder) => new(new TorchEngineFactory(), events, runFolder);

    private static RunVerification Verify(IReadOnlyList<IRunEvent> events, string runFolder, string stage, long from, long to, List<string>? notices = null) =>
        RunVerification.Of(Replay(events, runFolder), stage, from, to, n => notices?.Add(n), _ => { });

    private static string[] Files(string folder) =>
        [.. Directory.EnumerateFileSystemEntries(folder, "*", SearchOption.AllDirectories).Select(f => $"{f} {File.GetLastWriteTimeUtc(f):O}").Order(StringComparer.Ordinal)];

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    public async Task All_steps_of_a_run_come_out_as_the_journal_says_and_nothing_is_written(int staleness)
    {
        var (events, final, atStep4) = await Executed(staleness);
        var before = Files(folder.Path);
        foreach (var (stage, steps) in ((string, long)[])[("pretrain", 4), ("cpt", 3), ("cpt_thoughts", 3), ("rlp", 5)])
        {
            var verified = Verify(events, final, stage, 1, steps);
            Assert.True(verified.Diverged is null, $"{stage}: {verified.Diverged?.Divergences[0]}");
            Assert.Equal((0L, steps), (verified.Start, verified.Verified));
            Assert.Empty(verified.OtherEnvironment);
        }

        var notices = new List<string>();
        var last = Verify(events, atStep4, "rlp", 5, 5, notices);
        Assert.Null(last.Diverged);
        Assert.Equal((4L, 1L), (last.Start, last.Verified));
        Assert.Empty(notices);
        var middle = Verify(events, atStep4, "rlp", 4, 4, notices);
        Assert.Null(middle.Diverged);
        Assert.Equal((2L, 2L), (middle.Start, middle.Verified));
        Assert.Contains("from the checkpoint of step 2: no checkpoint nearer to step 4", Assert.Single(notices));
        Assert.Equal(before, Files(folder.Path));
    }

    [Fact]
    public async Task A_changed_figure_of_any_kind_is_found_at_its_step_with_what_was_expected_and_found()
    {
        var (events, _, atStep4) = await Executed();
        AcceptedGroup Group(AcceptedGroup group) => group.Group == 3 ? group with { Rewards = [Math.BitIncrement(group.Rewards[0]), .. group.Rewards[1..]] } : group;
        Same(Change<GroupsAccepted>(e => e with { Groups = [.. e.Groups.Select(Group)] }), "rewards of group 3");
        Same(Change<GroupsAccepted>(e => e with { Groups = [.. e.Groups.Select(g => g.Group == 2 ? g with { ThoughtsSha256 = "0" } : g)] }), "thoughts_sha256 of group 2");
        Same(Change<GroupsAccepted>(e => e with { Groups = [.. e.Groups.Select(g => g.Group == 1 ? g with { TeacherEvidence = -1 } : g)] }), "teacher_evidence of group 1");
        Same(Change<StepApplied>(e => e with { ThoughtsSha256 = "0" }), "thoughts_sha256");
        Same(Change<StepApplied>(e => e with { RewardMean = Math.BitDecrement(e.RewardMean!.Value) }), "reward_mean");
        Same(Change<StepApplied>(e => e with { Loss = Math.BitIncrement(e.Loss) }), "loss");
        Same(Change<StepApplied>(e => e with { GradNorm = Math.BitIncrement(e.GradNorm) }), "grad_norm");
        Same(Change<StepApplied>(e => e with { ParametersSha256 = "0" }), "parameters_sha256");
        Same(Change<StepApplied>(e => e with { Metrics = new(e.Metrics) { ["entropy"] = 1 } }), "metric entropy");
        Same(Change<StepPlanned>(e => e with { CursorTo = new WireCursor { Document = 1 } }), "cursor");
        Same(Change<StepPlanned>(e => e with { PolicyVersion = 1 }), "policy_version of the plan");
        Same(Change<StepPlanned>(e => e with { Lanes = [e.Lanes[0]] }), "lanes");

        IRunEvent[] Change<T>(Func<T, T> change) where T : IRunEvent =>
            [.. events.Select(e => e is T mine && StepOf(e) == ("rlp", 3) ? change(mine) : e)];

        static (string, long) StepOf(IRunEvent e) => e switch
        {
            StepPlanned p => (p.Stage, p.Step),
            GroupsAccepted g => (g.Stage, g.Step),
            StepApplied a => (a.Stage, a.Step),
            _ => default,
        };

        void Same(IRunEvent[] tampered, string what)
        {
            using var replay = Replay(tampered, atStep4).Open("rlp", 3);
            Assert.Equal(2, replay.Start);
            var step = replay.Next();
            Assert.Equal((3L, what), (step.Journaled.Applied.Step, Assert.Single(step.Divergences).What));
            Assert.NotEqual(step.Divergences[0].Expected, step.Divergences[0].Found);
            Assert.Throws<InvalidOperationException>(replay.Next);
        }
    }

    [Fact]
    public async Task A_damaged_checkpoint_is_named_and_the_one_before_it_is_taken_and_without_any_nothing_can_be_said()
    {
        var (events, _, atStep4) = await Executed();
        var newest = Path.Combine(atStep4, events.OfType<CheckpointCommitted>().Single(c => c is { Stage: "rlp", Step: 4 }).Path);
        File.AppendAllText(Path.Combine(newest, "policy.safetensors"), "x");
        var notices = new List<string>();
        var verified = Verify(events, atStep4, "rlp", 5, 5, notices);
        Assert.Null(verified.Diverged);
        Assert.Equal((2L, 3L), (verified.Start, verified.Verified));
        Assert.Contains("the checkpoint of stage 'rlp' step 4 cannot be used", notices[0]);

        Directory.Delete(Path.Combine(atStep4, "checkpoints"), recursive: true);
        var impossible = Assert.Throws<ReplayImpossibleException>(() => Verify(events, atStep4, "rlp", 5, 5));
        Assert.Contains("step 5 of stage 'rlp' cannot be executed again", impossible.Message);
        Assert.Null(Verify(events, atStep4, "pretrain", 1, 4).Diverged); // from random weights: needs no checkpoint
    }

    [Fact]
    public async Task A_step_of_another_machine_or_number_of_threads_is_said_to_be_one()
    {
        var (events, final, _) = await Executed();
        var created = (RunCreated)events[0];
        IRunEvent[] elsewhere =
        [
            created with { Environment = created.Environment with { MachineKind = "abacus", Versions = new(created.Environment.Versions) { ["torchsharp"] = "9.9" } } },
            .. events.Skip(1),
        ];
        var other = Verify(elsewhere, final, "pretrain", 1, 2).OtherEnvironment;
        Assert.Equal(2, other.Count);
        Assert.Contains("the journal says abacus", other[0]);
        Assert.Contains("torchsharp", other[1]);
    }
}
