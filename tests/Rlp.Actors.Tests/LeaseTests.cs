using Rlp.Actors.Hosting;
using Rlp.Protocol.Events;
using Rlp.Protocol.Payloads;
using Rlp.Protocol.Replies;
using Rlp.Protocol.Runs;

namespace Rlp.Actors.Tests;

/// <summary>A device has what it has: a run gets its cores and memory or is told what is short, and gives them back however it ends.</summary>
public sealed class LeaseTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Fact]
    public async Task A_run_that_finds_no_free_core_is_told_who_holds_them_and_starts_once_they_are_free()
    {
        var gate = new CallGate("pretrain learn", 1);
        await using var node = await TestNode.StartAsync(TestNode.OptionsFor(folder.Path, new FakeEngines { OnCall = gate.Pass }));
        var first = await node.Runs.StartAsync("first", Recipes.Full());
        await gate.Reached;

        var refusal = await Assert.ThrowsAsync<RunRefusedException>(() => node.Runs.StartAsync("second", Recipes.Full()));
        Assert.Equal(FailureKind.Configuration, refusal.Kind);
        Assert.Contains("run 'second' needs 1 cores of the CPU, which has 0 of 1 free; held by 'first' (1 cores", refusal.Message);
        Assert.Equal("first", Assert.Single((await node.Runs.NodeAsync()).Leases).RunId);
        Assert.Empty(node.Journal.Events("second"));

        gate.Open();
        await node.EndAsync("first", first);
        Assert.Empty((await node.Runs.NodeAsync()).Leases);
        Assert.Equal(RunStatus.Completed, Assert.IsType<RunEnded>((await node.RunAsync("second", Recipes.Full()))[^1]).Status);
    }

    [Fact]
    public async Task A_run_that_needs_more_memory_than_the_device_has_is_told_which_parts_need_it_and_what_to_set()
    {
        var engines = new FakeEngines { Elements = 1 << 20 };
        await using var node = await TestNode.StartAsync(TestNode.OptionsFor(folder.Path, engines) with { MemoryBytes = 19 << 20 });

        var refusal = await Assert.ThrowsAsync<RunRefusedException>(() => node.Runs.StartAsync("r", Recipes.Full()));
        Assert.Equal(FailureKind.Configuration, refusal.Kind);
        Assert.Contains("needs 20 MiB of the CPU (weights and moments 16 MiB, teacher 4 MiB), which has 19 MiB of 19 MiB free. Set a smaller model", refusal.Message);
        Assert.Equal(0, engines.OpenEngines);
    }

    [Fact]
    public async Task A_run_entity_that_dies_returns_its_lease_and_its_engines_are_closed()
    {
        var engines = new FakeEngines();
        await using var node = await TestNode.StartAsync(TestNode.OptionsFor(folder.Path, engines) with
        {
            OnJournal = (events, durable) =>
            {
                if (durable && events[0] is StepApplied { Stage: "rlp", Step: 2 })
                    throw new InvalidOperationException("dies here");
            },
        });
        await node.RunAsync("r", Recipes.Full());

        await TestNode.EventuallyAsync(async () => (await node.Runs.NodeAsync()).Leases.Length == 0, "the lease is returned");
        await TestNode.EventuallyAsync(() => Task.FromResult(engines.OpenEngines == 0), "the engines are closed");
    }

    [Fact]
    public async Task A_run_that_ends_in_any_way_leaves_no_engine_open()
    {
        var engines = new FakeEngines { OnCall = (what, at) => { if (what == "rlp learn" && at == 3) throw new InvalidOperationException("broken"); } };
        await using var node = await TestNode.StartAsync(TestNode.OptionsFor(folder.Path, engines));
        Assert.Equal(RunStatus.Failed, Assert.IsType<RunEnded>((await node.RunAsync("failed", Recipes.Full()))[^1]).Status);
        Assert.Equal(0, engines.OpenEngines);
        Assert.Equal(RunStatus.Completed, Assert.IsType<RunEnded>((await node.RunAsync("completed", Recipes.Full(rlp: 2)))[^1]).Status);
        Assert.Equal(0, engines.OpenEngines);
    }
}
