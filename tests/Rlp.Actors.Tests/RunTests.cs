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

    [Fact]
    public async Task A_step_s_time_holds_the_wait_for_data_that_came_before_its_plan()
    {
        await using var node = await TestNode.StartAsync(TestNode.OptionsFor(folder.Path, new FakeEngines()));
        var progress = await node.RunAsync("r", Recipes.Full());

        Assert.All(
            progress.OfType<StepProgress>().Where(s => s.Applied.Step == 1).Select(s => s.Timings),
            first => Assert.InRange(first.Data, double.Epsilon, first.Total)); // nothing was loaded ahead of it
    }
}
