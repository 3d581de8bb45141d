using Rlp.Protocol.Events;
using Rlp.Protocol.Payloads;

namespace Rlp.Consoles.Tests;

/// <summary>What each verb answers and does, and what it says to the worst that it can be asked.</summary>
public sealed class VerbTests
{
    private readonly FakeCluster cluster = new();

    [Fact]
    public async Task Run_list_shows_every_run_or_those_of_a_status()
    {
        Assert.Equal(["run|status|stage|step|node|failure", "alpha|running|rlp|2/9|one|-", "beta|paused|-|-|-|-"], await cluster.LinesAsync("run list"));
        Assert.Equal(["run|status|stage|step|node|failure", "beta|paused|-|-|-|-"], await cluster.LinesAsync("run list -s paused"));
        Assert.Contains("expected one of running, paused", Ask.Refusal("run list -s asleep"));
    }

    [Fact]
    public async Task Run_show_says_where_a_run_stands_and_who_works_for_it()
    {
        var lines = await cluster.LinesAsync("run show -r alpha");
        Assert.Contains("recipe|arithmetic, seed 7, digest aaaaaaaaaaaa", lines);
        Assert.Contains("status|running", lines);
        Assert.Contains("doing|SampleThoughts", lines);
        Assert.Contains("entity|on one", lines);
        Assert.Contains("pretrain|1/1|complete|step 1", lines);
        Assert.Contains("rlp|2/9|in work|step 2", lines);
        Assert.Contains("learner|one", lines);
        Assert.Contains("lane 1|two", lines);
        Assert.DoesNotContain(lines, l => l.StartsWith("recovery/"));
    }

    [Fact]
    public async Task Run_show_says_so_where_the_entity_is_gone_and_what_failed()
    {
        Assert.Contains("doing|its entity does not answer; the journal says this much", await new FakeCluster { Gone = true }.LinesAsync("run show -r alpha"));
        cluster.Journal(new RunFailed { RunId = "beta", Kind = FailureKind.Data, Message = "group 3 is bad" });
        Assert.Contains("status|failed: group 3 is bad", await cluster.LinesAsync("run show -r beta"));
        Assert.Equal("there is no run 'alhpa'; did you mean 'alpha'? the runs are alpha, beta", await cluster.ErrorAsync("run show -r alhpa"));
    }

    [Theory]
    [InlineData("run show -r x")]
    [InlineData("run events -r x")]
    [InlineData("run steps -r x")]
    [InlineData("run pause -r x")]
    [InlineData("run resume -r x")]
    [InlineData("run cancel -r x")]
    [InlineData("run verify -r x")]
    [InlineData("run fork -r x -a 1 -i y")]
    [InlineData("device leases -r x")]
    [InlineData("lane list -r x")]
    [InlineData("lane show -r x -l 0")]
    [InlineData("lane reassign -r x -l 0")]
    [InlineData("metrics show -r x")]
    [InlineData("metrics tail -r x")]
    [InlineData("thought last -r x")]
    [InlineData("thought best -r x")]
    [InlineData("thought worst -r x")]
    [InlineData("thought show -r x -n 1 -g 0")]
    [InlineData("checkpoint list -r x")]
    [InlineData("checkpoint verify -r x")]
    [InlineData("checkpoint prune -r x")]
    [InlineData("journal tail -r x")]
    public async Task A_run_that_is_not_there_is_named_and_nothing_is_done(string command) =>
        Assert.StartsWith("there is no run 'x'", await cluster.ErrorAsync(command));

    [Theory]
    [InlineData("worker list -n tow")]
    [InlineData("worker show -n tow -w rollout")]
    [InlineData("worker restart -n tow -w rollout")]
    [InlineData("worker drain -n tow")]
    [InlineData("cluster leave -n tow")]
    [InlineData("cluster down -n tow")]
    [InlineData("lane reassign -r alpha -l 0 -n tow")]
    public async Task A_node_that_is_not_there_is_named_and_nothing_is_done(string command) =>
        Assert.Equal("there is no node 'tow'; did you mean 'two'? the nodes are one, two, three", await cluster.ErrorAsync(command));

    [Fact]
    public async Task Run_events_are_the_newest_of_a_stage_step_or_type()
    {
        Assert.Equal("16|2026-01-02 12:00:15Z|groups-accepted|stage=rlp step=3 lane=0", (await cluster.LinesAsync("run events -r alpha"))[^1]);
        var two = await cluster.LinesAsync("run events -r alpha -s rlp -n 2");
        Assert.Equal(["11", "12", "13", "14"], two.Skip(1).Select(l => l.Split('|')[0]));
        Assert.Equal("5|", Assert.Single((await cluster.LinesAsync("run events -r alpha -t checkpoint-committed -s pretrain")).Skip(1))[..2]);
        Assert.Equal(3, (await cluster.LinesAsync("run events -r alpha -l 2")).Length);
        Assert.Equal("run 'alpha' has no stage 'rlpp'; did you mean 'rlp'? the stages are pretrain, rlp", await cluster.ErrorAsync("run events -r alpha -s rlpp"));
    }

    [Fact]
    public async Task Run_steps_show_the_figures_of_the_newest_steps()
    {
        Assert.Equal(
            ["stage|step|loss|info gain|grad norm|seconds|tokens/s|parameters", "rlp|1|0.25|0.5|2|0.5|200|bbbbbbbbbbbb", "rlp|2|0.125|1.5|2|0.5|200|bbbbbbbbbbbb"],
            await cluster.LinesAsync("run steps -r alpha -l 2"));
        Assert.Equal("pretrain|1|4|-|2|0.5|200|bbbbbbbbbbbb", Assert.Single((await cluster.LinesAsync("run steps -r alpha -s pretrain")).Skip(1)));
        Assert.Contains("has no stage 'cpt'", await cluster.ErrorAsync("run steps -r alpha -s cpt"));
    }

    [Fact]
    public async Task A_running_run_is_paused_and_a_paused_one_is_not()
    {
        Assert.Equal("run 'beta' is paused; only a running one can be paused", await cluster.ErrorAsync("run pause -r beta"));
        Assert.Equal("run 'alpha' is paused, its newest checkpoint is of step 2 of stage rlp", (await cluster.LinesAsync("run pause -r alpha"))[^1]);
        Assert.Equal(["pause alpha"], cluster.Done);
    }

    [Fact]
    public async Task A_run_goes_on_unless_it_has_ended_for_good()
    {
        await cluster.LinesAsync("run resume -r beta");
        await cluster.LinesAsync("run cancel -r beta");
        Assert.Equal(["resume beta", "cancel beta"], cluster.Done);
        var ended = new FakeCluster();
        ended.Journal(new RunCancelled { RunId = "beta" });
        Assert.Contains("run 'beta' is cancelled; 'run fork' begins another one", await ended.ErrorAsync("run resume -r beta"));
        Assert.Equal("run 'beta' is cancelled already", await ended.ErrorAsync("run cancel -r beta"));
    }

    [Fact]
    public async Task Verify_and_fork_are_handed_on_as_rlp_runs_takes_them()
    {
        Assert.Equal(["step 1 equal"], await cluster.LinesAsync("run verify -r alpha -s rlp -f 2 -t 3"));
        Assert.Equal("in this cluster: run resume -r gamma", (await cluster.LinesAsync("run fork -r alpha -a 2 -i gamma -o rlp.steps=40 -o 'rlp.markers = \"a b\"'"))[^1]);
        Assert.Equal(["verify alpha --each --stage rlp --from-step 2 --to-step 3", "fork alpha --at-step 2 --run-id gamma --set rlp.steps=40 --set rlp.markers = \"a b\""], cluster.Done);
        Assert.Contains("-f is '0'; expected a whole number of at least 1", Ask.Refusal("run verify -r alpha -f 0"));
        Assert.Contains("-i is '../x'; expected a run id", Ask.Refusal("run fork -r alpha -a 1 -i ../x"));
    }

    [Fact]
    public async Task Worker_list_says_what_every_worker_does_and_names_the_silent()
    {
        var lines = await cluster.LinesAsync("worker list");
        Assert.Contains("one|learner|working|3.0 s|ApplyRlpStep of run 'alpha'|11|0", lines);
        Assert.Contains("one|rollout|idle|3 min 20 s|-|0|0", lines);
        Assert.Contains("two|reward|does not answer|-|-|-|-", lines);
        Assert.Contains("three|rollout|does not answer|-|-|-|-", lines);
        Assert.DoesNotContain(lines, l => l.Contains("coordinator"));
        Assert.All((await cluster.LinesAsync("worker list -n two")).Skip(1), l => Assert.StartsWith("two|", l));
    }

    [Fact]
    public async Task Worker_show_is_one_worker_with_its_node_s_leases()
    {
        var lines = await cluster.LinesAsync("worker show -n one -w learner");
        Assert.Contains("what|ApplyRlpStep of run 'alpha'", lines);
        Assert.Contains("lease|run 'alpha': 2 cores, 1 MiB of the CPU", lines);
        Assert.Equal("node one has no reward worker; its roles are coordinator, learner, rollout", await cluster.ErrorAsync("worker show -n one -w reward"));
        Assert.StartsWith("the rollout worker of node three does not answer", await cluster.ErrorAsync("worker show -n three -w rollout"));
    }

    [Fact]
    public async Task A_worker_is_restarted_where_there_is_one()
    {
        Assert.Equal("node two has no learner worker; its roles are rollout, reward", await cluster.ErrorAsync("worker restart -n two -w learner"));
        Assert.Contains("is restarting; SampleThoughts of run 'alpha' is in progress", Assert.Single(await cluster.LinesAsync("worker restart -n one -w rollout")));
        Assert.Equal(["restart one Rollout"], cluster.Done);
    }

    [Fact]
    public async Task A_node_that_cannot_give_up_its_runs_is_not_said_to_be_drained()
    {
        Assert.Contains("node two holds no run any more", (await cluster.LinesAsync("worker drain -n two -t 5"))[^1]);
        Assert.Equal(["drain two 5"], cluster.Done);
        Assert.Contains("still holds runs after 120 s", await new FakeCluster { Drains = false }.ErrorAsync("worker drain -n two"));
    }

    [Fact]
    public async Task Devices_and_leases_are_those_of_every_node_that_answers()
    {
        Assert.Equal(
            [
                "node|device|cores granted|memory granted|leases|state", "one|the CPU|2 of 2|1 MiB of 1 GiB|1|grants", "two|the GPU|0 of 4|0 B of 2 GiB|0|draining",
                "three|-|-|-|-|does not answer",
            ],
            await cluster.LinesAsync("device list"));
        Assert.Equal(["node|run|device|cores|memory", "one|alpha|the CPU|2|1 MiB", "!not all is known: three did not answer"], await cluster.LinesAsync("device leases"));
        Assert.Equal(["node|run|device|cores|memory", "!not all is known: three did not answer"], await cluster.LinesAsync("device leases -r beta"));
    }

    [Fact]
    public async Task Lanes_are_those_of_the_stage_in_work()
    {
        Assert.Equal(["run|stage|lane|at work on node", "alpha|rlp|0|-", "alpha|rlp|1|two"], await cluster.LinesAsync("lane list"));
        Assert.Equal(["run|stage|lane|at work on node"], await cluster.LinesAsync("lane list -r beta"));
        Assert.Equal(["lane 0 of run 'alpha', stage rlp: nobody is at work on it now", "step|policy version|groups|accepted", "3|2|0 1|1 of 2"], await cluster.LinesAsync("lane show -r alpha -l 0"));
        Assert.Equal("run 'alpha' has no lane 2; stage rlp has the lanes 0 to 1", await cluster.ErrorAsync("lane show -r alpha -l 2"));
        Assert.Equal("run 'beta' has no lanes now: no RLP stage of it is in work", await cluster.ErrorAsync("lane show -r beta -l 0"));
    }

    [Fact]
    public async Task A_lane_that_exists_is_reassigned()
    {
        Assert.Equal("run 'alpha' has no lane 99999999999; stage rlp has the lanes 0 to 1", await cluster.ErrorAsync("lane reassign -r alpha -l 99999999999"));
        Assert.Equal(["lane 1 of run 'alpha' is worked on by two, no longer by one"], await cluster.LinesAsync("lane reassign -r alpha -l 1 -n two"));
        Assert.Equal(["reassign alpha/1 two"], cluster.Done);
        var paused = new FakeCluster();
        paused.Journal(new RunPaused { RunId = "alpha" });
        Assert.StartsWith("run 'alpha' is not running", await paused.ErrorAsync("lane reassign -r alpha -l 1"));
    }

    [Fact]
    public async Task Metrics_are_shown_over_the_newest_steps_of_the_stage()
    {
        var lines = await cluster.LinesAsync("metrics show -r alpha");
        Assert.Equal(["stage rlp, steps 1 to 2", "metric|last|mean|least|largest"], lines[..2]);
        Assert.Contains("reward|1.5|1|0.5|1.5", lines);
        Assert.Contains("completions/mean_length|12|11.5|11|12", lines);
        Assert.Equal(["reward|1.5|1.5|1.5|1.5"], (await cluster.LinesAsync("metrics show -r alpha -m reward -l 1")).Skip(2));
        Assert.StartsWith("the last step has no metric 'rewrad'; did you mean 'reward'?", await cluster.ErrorAsync("metrics show -r alpha -m rewrad"));
        Assert.Equal("run 'beta' has applied no step of any stage yet", await cluster.ErrorAsync("metrics show -r beta"));
    }

    [Fact]
    public async Task Metrics_are_tailed_from_the_newest_steps_on()
    {
        Assert.Equal(["stage|step|reward|loss", "rlp|1|0.5|0.25", "rlp|2|1.5|0.125"], await cluster.LinesAsync("metrics tail -r alpha -m reward -m loss -l 2", atMost: 3));
        Assert.Equal(["stage|step|reward", "pretrain|1|-", "rlp|1|0.5"], await cluster.LinesAsync("metrics tail -r alpha -m reward", atMost: 3));
        Assert.StartsWith("the last step has no metric 'x'", await cluster.ErrorAsync("metrics tail -r alpha -m x"));
    }

    [Fact]
    public async Task A_tail_goes_on_until_it_is_cancelled()
    {
        using var stop = new CancellationTokenSource();
        var answer = PaletteCommand.Parse("journal tail -l 1", ConsolePalettes.All).AnswerAsync(cluster, stop.Token).GetAsyncEnumerator(TestContext.Current.CancellationToken);
        Assert.True(await answer.MoveNextAsync());
        Assert.True(answer.Current is ColumnsLine { Streams: true });
        Assert.True(await answer.MoveNextAsync());
        var next = answer.MoveNextAsync().AsTask();
        Assert.False(next.IsCompleted);
        await stop.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => next);
    }

    [Fact]
    public async Task The_journal_is_tailed_for_all_runs_or_one()
    {
        Assert.Equal("2026-01-02 12:00:01Z|beta|2|run-paused|reason=dinner", (await cluster.LinesAsync("journal tail -l 1", atMost: 2))[1]);
        Assert.StartsWith("2026-01-02 12:00:15Z|alpha|16|groups-accepted", (await cluster.LinesAsync("journal tail -r alpha -l 1", atMost: 2))[1]);
        Assert.StartsWith("2026-01-02 12:00:13Z|alpha|14|checkpoint-committed", (await cluster.LinesAsync("journal tail -r alpha -t checkpoint-committed -l 4", atMost: 2))[1]);
        Assert.Contains("did you mean 'run-paused'", Ask.Refusal("journal tail -t run-pausde"));
    }

    [Fact]
    public async Task Journal_stats_add_up()
    {
        var lines = await cluster.LinesAsync("journal stats");
        Assert.Contains("alpha|16|2 KiB|2026-01-02 12:00:00Z|2026-01-02 12:01:00Z", lines);
        Assert.Equal("all|18|4 KiB|2026-01-02 12:00:00Z|2026-01-02 12:01:00Z", lines[^1]);
    }

    [Fact]
    public async Task Checkpoints_are_listed_and_verified_where_they_are_left()
    {
        Assert.Equal(
            ["stage|step|size|manifest sha256|path", "pretrain|1|pruned|c0|checkpoints/pretrain/step-00000001", "rlp|2|3 MiB|c1|checkpoints/rlp/step-00000002"],
            await cluster.LinesAsync("checkpoint list -r alpha"));
        Assert.Equal(["stage|step|verdict", "rlp|2|whole"], await cluster.LinesAsync("checkpoint verify -r alpha"));
        Assert.Equal(
            ["stage|step|verdict", "rlp|2|a bit has flipped", "!1 of 1 checkpoints are damaged; the run passes over them where it has another one"],
            await new FakeCluster { Damage = "a bit has flipped" }.LinesAsync("checkpoint verify -r alpha"));
        Assert.Equal("what run 'alpha' had of these is pruned", await cluster.ErrorAsync("checkpoint verify -r alpha -s pretrain"));
        Assert.StartsWith("run 'alpha' has no such checkpoint", await cluster.ErrorAsync("checkpoint verify -r alpha -n 7"));
    }

    [Fact]
    public async Task Only_a_stopped_run_is_pruned()
    {
        Assert.StartsWith("run 'alpha' is running and prunes its checkpoints itself", await cluster.ErrorAsync("checkpoint prune -r alpha"));
        Assert.Contains("-k is '0'; expected a whole number of at least 1", Ask.Refusal("checkpoint prune -r beta -k 0"));
        Assert.Equal(["0 B are free again"], await cluster.LinesAsync("checkpoint prune -r beta"));
        Assert.Equal(["prune beta 1"], cluster.Done);
    }

    [Fact]
    public async Task The_cluster_is_shown_as_this_node_sees_it() => Assert.Equal(
        [
            "node|address|status|reachable|answers|roles", "one (asked)|127.0.0.1:4051|up|yes|yes|coordinator learner rollout", "two|127.0.0.1:4052|up|yes|yes|rollout reward",
            "three|127.0.0.1:4053|up|no|no|rollout",
        ],
        await cluster.LinesAsync("cluster show"));

    [Fact]
    public async Task A_node_leaves_after_its_runs_unless_it_cannot()
    {
        await cluster.LinesAsync("cluster leave -n two");
        Assert.Equal(["drain two 120", "leave two"], cluster.Done);
        Assert.Contains("is out of reach and cannot leave in order", await new FakeCluster().ErrorAsync("cluster leave -n three"));
        var alone = new FakeCluster { Members = [cluster.Members[0]] };
        Assert.Contains("is the only one", await alone.ErrorAsync("cluster leave -n one"));
    }

    [Fact]
    public async Task Only_a_node_out_of_reach_is_downed_or_one_that_somebody_insists_on()
    {
        Assert.Contains("is reachable and may be at work", await cluster.ErrorAsync("cluster down -n two"));
        Assert.Contains("is the one that you ask", await cluster.ErrorAsync("cluster down -n one -f yes"));
        await cluster.LinesAsync("cluster down -n three");
        await cluster.LinesAsync("cluster down -n two -f yes");
        Assert.Equal(["down three", "down two"], cluster.Done);
    }
}
