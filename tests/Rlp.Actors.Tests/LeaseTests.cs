using Rlp.Actors.Hosting;
using Rlp.Actors.Runs;
using Rlp.Protocol.Events;
using Rlp.Protocol.Payloads;
using Rlp.Protocol.Replies;
using Rlp.Protocol.Runs;
using Rlp.Training;
using Rlp.Training.Engines;
using Rlp.Training.Engines.Torch;
using Rlp.Training.Recipes;

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
    public async Task A_run_that_needs_more_memory_than_the_device_has_is_told_which_roles_need_it()
    {
        var engines = new FakeEngines { Elements = 1 << 20 };
        await using var node = await TestNode.StartAsync(TestNode.OptionsFor(folder.Path, engines) with { MemoryBytes = 19 << 20 });

        var refusal = await Assert.ThrowsAsync<RunRefusedException>(() => node.Runs.StartAsync("r", Recipes.Full()));
        Assert.Equal(FailureKind.Configuration, refusal.Kind);
        Assert.Contains("needs 20 MiB of the CPU (learner 16 MiB, ema 4 MiB), which has 19 MiB of 19 MiB free", refusal.Message);
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

    [Fact]
    public void The_memory_of_a_lease_is_that_of_the_arena_as_it_is_written()
    {
        var recipe = Recipes.Arithmetic();
        var length = new TorchEngineFactory().ArenaLength(recipe);
        using var loop = new BareLoop(new TorchEngineFactory(), new StageContext("r", recipe, recipe.Stage("pretrain"), folder.Path, 1, new NodeWeights()));
        var policy = File.ReadAllBytes(Path.Combine(loop.Save().Path, "policy.safetensors"));
        var written = policy.Length - 8 - BitConverter.ToInt64(policy); // the header's length, the header, then the tensors

        Assert.InRange(length * sizeof(float), written, written + 16 * sizeof(float) * 30); // each leaf begins at a multiple of 16 elements
        Assert.Equal(new Dictionary<string, long> { ["learner"] = 16 * length, ["ema"] = 4 * length }, RunMemory.Of(recipe, length));
        var withReference = recipe with { Stages = [.. recipe.Stages.Select(s => s with { Rlp = s.Rlp is null ? null : s.Rlp with { Beta = 0.1 } })] };
        Assert.Equal(20 * length, RunMemory.Of(withReference, length)["learner"]);
        // Three versions of policy and teacher each.
        Assert.Equal(
            new Dictionary<string, long> { ["learner"] = 28 * length, ["ema"] = 16 * length }, RunMemory.Of(Recipes.Arithmetic(staleness: 2), length));
        var half = recipe with { Model = recipe.Model with { Dtype = WeightType.Bfloat16 } };
        Assert.Equal(new Dictionary<string, long> { ["learner"] = 20 * length, ["ema"] = 6 * length }, RunMemory.Of(half, length));
        Assert.Equal(0, RunMemory.Of(recipe with { Stages = [recipe.Stages[0]] }, length)["ema"]);
    }
}
