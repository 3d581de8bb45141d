using Akka.Actor;
using Microsoft.Data.Sqlite;
using Rlp.Actors.Hosting;
using Rlp.Actors.Tests;
using Rlp.Cli.Consoles;
using Rlp.Cli.Tests.Commands;
using Rlp.Consoles;

namespace Rlp.Cli.Tests.Consoles;

/// <summary>Every verb over HTTP, asked of one node of a cluster of two in which a run goes on, and the command line that asks.</summary>
[Collection(RlpCommand.Collection)]
public sealed class ConsoleClusterTests : IAsyncLifetime
{
    private readonly string folder = Directory.CreateTempSubdirectory("rlp-console-").FullName;
    private readonly HashSet<string> asked = [];
    private ConsoleNode one = null!;
    private ConsoleNode two = null!;

    public async ValueTask InitializeAsync()
    {
        var engines = new FakeEngines { OnCall = (_, _) => Thread.Sleep(5) };
        one = await ConsoleNode.StartAsync(folder, "one", engines);
        two = await ConsoleNode.StartAsync(folder, "two", engines, seed: one);
        await one.Runs.SubmitAsync("alpha", Recipes.Full(pretrain: 2, cpt: 1, rlp: 100_000, checkpointEvery: 20, evaluateEvery: 0));
        await ConsoleNode.EventuallyAsync(() => Task.FromResult(StepsOf("alpha") > 2), "the run is in its RLP stage");
    }

    public async ValueTask DisposeAsync()
    {
        await two.DisposeAsync();
        await one.DisposeAsync();
        SqliteConnection.ClearAllPools();
        Directory.Delete(folder, recursive: true);
    }

    private long StepsOf(string run) => one.Runs.StateOf(run) is { Stage: { Plan.Id: "rlp" } stage } ? stage.Applied : 0;

    private async Task<string[]> AskAsync(string command, int atMost = int.MaxValue)
    {
        asked.Add(string.Join(' ', command.Split(' ').Take(2)));
        return await two.AskAsync(command, atMost);
    }

    private async Task GoesOn(string after)
    {
        var before = StepsOf("alpha");
        await ConsoleNode.EventuallyAsync(() => Task.FromResult(StepsOf("alpha") > before + 3), $"the run goes on after '{after}'");
    }

    [Fact]
    public async Task Every_verb_is_answered_by_any_node_and_the_run_goes_on()
    {
        Assert.Contains(await AskAsync("run list"), l => l.StartsWith("alpha|running|rlp|"));
        Assert.Contains("status|running", await AskAsync("run show -r alpha"));
        Assert.Contains(await AskAsync("run events -r alpha -t run-created"), l => l.StartsWith("1|"));
        Assert.Equal(3, (await AskAsync("run steps -r alpha -s rlp -l 2")).Length);
        Assert.Contains("learner|", (await AskAsync("run show -r alpha")).Single(l => l.StartsWith("learner|")));
        Assert.StartsWith("!there is no run 'alhpa'; did you mean 'alpha'?", (await AskAsync("run show -r alhpa"))[^1]);

        Assert.Equal(10, (await AskAsync("worker list")).Skip(1).Count(l => !l.Contains("does not answer")));
        Assert.Contains(await AskAsync("worker show -n one -w learner"), l => l.StartsWith("calls done|"));
        Assert.Contains("two|the CPU|", (await AskAsync("device list")).Single(l => l.StartsWith("two|")));
        Assert.Contains(await AskAsync("device leases"), l => l.Contains("|alpha|the CPU|1|"));
        Assert.Equal(["alpha|rlp|0", "alpha|rlp|1"], (await AskAsync("lane list")).Skip(1).Select(l => l[..l.LastIndexOf('|')]));
        Assert.Contains("step|policy version|groups|accepted", await AskAsync("lane show -r alpha -l 1"));
        Assert.Contains(await AskAsync("metrics show -r alpha"), l => l.StartsWith("loss|"));
        Assert.Equal(5, (await AskAsync("metrics tail -r alpha -l 1", atMost: 5)).Length); // three of them were not applied yet when it was asked
        await ConsoleNode.EventuallyAsync(async () => (await AskAsync("thought last -r alpha -n 1 -l 3")).Length == 4, "the thoughts of step 1 are kept");
        var best = (await AskAsync("thought best -r alpha -n 1 -l 2"))[1].Split('|');
        Assert.Equal(best[..4], (await AskAsync("thought worst -r alpha -n 1 -l 1000"))[^1].Split('|')[..4]);
        var shown = await AskAsync($"thought show -r alpha -n 1 -g {best[1]} -m {best[2]}");
        Assert.Matches("^[0-9]{3} [0-9]{5} [0-9]$", string.Join(' ', best[4..])); // the fake engines' tokens, by the run's tokenizer
        Assert.Contains(best[4], shown);
        Assert.Contains(best[5], shown);
        Assert.StartsWith("the journal has the same digest: ", shown[^1]);
        Assert.Equal(6, (await AskAsync("journal tail -l 2", atMost: 6)).Length);
        Assert.Contains(await AskAsync("journal stats"), l => l.StartsWith("alpha|"));
        Assert.Contains("one|127.0.0.1:", (await AskAsync("cluster show")).Single(l => l.StartsWith("one|")));
        Assert.Equal("two (asked)", (await AskAsync("cluster show")).Single(l => l.StartsWith("two ")).Split('|')[0]);

        Assert.StartsWith("the rollout worker of node one is ", (await AskAsync("worker restart -n one -w rollout"))[^1]);
        await GoesOn("worker restart");
        Assert.StartsWith("the learner worker of node one is ", (await AskAsync("worker restart -n one -w learner"))[^1]);
        await GoesOn("worker restart");
        Assert.Contains("lane 0 of run 'alpha' is worked on by ", (await AskAsync("lane reassign -r alpha -l 0"))[^1]);
        await GoesOn("lane reassign");

        await ConsoleNode.EventuallyAsync(async () => (await AskAsync("checkpoint list -r alpha")).Any(l => l.StartsWith("rlp|") && !l.Contains("pruned")), "a checkpoint");
        Assert.StartsWith("!run 'alpha' is running and prunes", (await AskAsync("checkpoint prune -r alpha"))[^1]);
        Assert.StartsWith("run 'alpha' is paused", (await AskAsync("run pause -r alpha"))[^1]);
        Assert.Contains("rlp|", (await AskAsync("checkpoint verify -r alpha -s rlp"))[1]);
        Assert.Contains("are free again", (await AskAsync("checkpoint prune -r alpha -k 1"))[^1]);
        Assert.Single((await AskAsync("checkpoint list -r alpha")), l => l.StartsWith("rlp|") && !l.Contains("pruned"));
        Assert.Equal("run 'alpha' goes on", (await AskAsync("run resume -r alpha"))[^1]);
        await GoesOn("run resume");

        // In a process of their own, which takes longer to start than a client waits for a sign of life, and cannot do it here: what it says is the error.
        Assert.Contains("absent.hocon", (await AskAsync("run verify -r alpha"))[^1]);
        Assert.Contains("absent.hocon", (await AskAsync("run fork -r alpha -a 1 -i beta"))[^1]);

        Assert.Contains("is reachable and may be at work", (await AskAsync("cluster down -n one"))[^1]);
        Assert.Contains("holds no run any more", (await AskAsync("worker drain -n one"))[^1]);
        Assert.Contains("one|", (await AskAsync("device list")).Single(l => l.StartsWith("one|") && l.EndsWith("|draining")));
        Assert.StartsWith("node one leaves", (await AskAsync("cluster leave -n one -t 20"))[^1]);
        await ConsoleNode.EventuallyAsync(async () => !(await AskAsync("cluster show")).Any(l => l.StartsWith("one|")), "node one is gone");
        var before = two.Runs.StateOf("alpha").Stage!.Applied;
        await ConsoleNode.EventuallyAsync(() => Task.FromResult(two.Runs.StateOf("alpha").Stage!.Applied > before), "the run goes on on node two");

        Assert.StartsWith("run 'alpha' is cancelled", (await AskAsync("run cancel -r alpha"))[^1]);
        Assert.Equal([.. ConsolePalettes.All.SelectMany(p => p.Verbs.Select(v => $"{p.Name} {v.Name}")).Order()], asked.Order());
    }

    [Fact]
    public async Task A_node_that_does_not_answer_is_listed_as_such_within_its_deadline()
    {
        ((ExtendedActorSystem)two.System).Abort();
        var began = DateTime.UtcNow;
        var workers = await one.AskAsync("worker list");
        Assert.Equal(5, workers.Count(l => l.StartsWith("two|") && l.Contains("does not answer")));
        Assert.Equal(5, workers.Count(l => l.StartsWith("one|") && !l.Contains("does not answer")));
        Assert.True(DateTime.UtcNow - began < TimeSpan.FromSeconds(20), $"it took {DateTime.UtcNow - began}");
    }

    [Fact]
    public async Task The_command_line_asks_once_and_its_exit_code_says_how_it_went()
    {
        var (code, output, _) = await RlpCommand.Run("console", one.Address, "run", "show", "-r", "alpha", "--json");
        Assert.Equal(ExitCodes.Done, code);
        Assert.Contains("""{"row":["status","running"]}""", output);

        (code, output, _) = await RlpCommand.Run("console", "--json", one.Address, "run", "show", "-r", "beta");
        Assert.Equal(ExitCodes.CommandFailed, code);
        Assert.StartsWith("""{"error":"there is no run 'beta'""", output);

        (code, output, _) = await RlpCommand.Run("console", one.Address, "--json", "run", "shwo", "-r", "alpha");
        Assert.Equal(ExitCodes.BadConfiguration, code);
        Assert.Contains("did you mean 'show'?", output);
    }

    [Fact]
    public async Task A_tail_that_nobody_reads_any_more_is_ended()
    {
        using var client = new ConsoleClient(one.Address, null);
        using var stop = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        await foreach (var line in client.AskAsync("metrics tail -r alpha", stop.Token))
            if (line is RowLine) break;
        await GoesOn("metrics tail");
    }
}

/// <summary>What the command line says where no node is.</summary>
[Collection(RlpCommand.Collection)]
public sealed class ConsoleWithoutNodeTests
{
    [Fact]
    public async Task A_port_where_nobody_listens_is_named()
    {
        var (code, _, error) = await RlpCommand.Run("console", "127.0.0.1:1", "run", "list");
        Assert.Equal(ExitCodes.BrokenEnvironment, code);
        Assert.StartsWith("rlp: 127.0.0.1:1 does not answer: ", error);
    }

    [Fact]
    public async Task A_node_that_takes_the_connection_and_says_nothing_is_given_up_in_time()
    {
        using var mute = new System.Net.Sockets.TcpListener(System.Net.IPAddress.Loopback, 0);
        mute.Start();
        using var client = new ConsoleClient(mute.LocalEndpoint.ToString()!, null);
        var refused = await Assert.ThrowsAsync<RunRefusedException>(async () =>
        {
            await foreach (var _ in client.AskAsync("run list", TestContext.Current.CancellationToken))
            {
            }
        });
        Assert.Contains("does not answer within 5 s", refused.Message);
    }
}
