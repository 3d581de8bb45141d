using Rlp.Protocol.Events;
using Rlp.Protocol.Replies;
using Rlp.Protocol.Runs;

namespace Rlp.Actors.Tests;

public sealed class RunTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Fact]
    public async Task A_run_executes_its_stages_in_order_and_compares_them()
    {
        await using var node = await TestNode.StartAsync(TestNode.OptionsFor(folder.Path, new FakeEngines()));
        var progress = await node.RunAsync("r", Recipes.Full());

        Assert.Equal(RunStatus.Completed, Assert.IsType<RunEnded>(progress[^1]).Status);
        var events = node.Journal.Events("r");
        Assert.Equal(["pretrain", "cpt", "rlp"], events.OfType<StageCompleted>().Select(e => e.Stage));
        Assert.Equal([7L, 4L, 9L], events.OfType<StepApplied>().GroupBy(e => e.Stage).Select(g => g.LongCount()));
        Assert.Equal(["base", "cpt", "rlp"], events.OfType<StageEvaluated>().Where(e => e.Compared).Select(e => e.Stage));
        Assert.Equal([4L, 8L], events.OfType<StageEvaluated>().Where(e => !e.Compared).Select(e => e.Step));
        Assert.IsType<RunCompleted>(events[^1]);
    }
}
