using System.Collections.Concurrent;
using Akka.Actor;
using Rlp.Actors.Hosting;
using Rlp.Actors.Workers;
using Rlp.Protocol.Commands;
using Rlp.Protocol.Payloads;
using Rlp.Protocol.Queries;
using Rlp.Protocol.Replies;
using Rlp.Protocol.Runs;
using Rlp.Training.Engines;
using Rlp.Training.Weights;

namespace Rlp.Actors.Tests;

/// <summary>The front of a worker answers at once while its engine works, and stands between a failing engine and those who need it.</summary>
public sealed class WorkerTests : IAsyncLifetime
{
    private readonly TemporaryFolder folder = new();
    private readonly ConcurrentQueue<(long Request, DateTime At)> calls = new();
    private readonly CallGate gate = new("call", 1);
    private TestNode node = null!;
    private Inbox inbox = null!;
    private Func<long, Exception?> failing = _ => null;
    private int disposed;

    public async ValueTask InitializeAsync()
    {
        node = await TestNode.StartAsync(TestNode.OptionsFor(folder.Path, new FakeEngines()) with { RestartBackoff = TimeSpan.FromMilliseconds(60) });
        inbox = Inbox.Create(node.System);
    }

    public async ValueTask DisposeAsync()
    {
        gate.Open();
        await node.DisposeAsync();
        folder.Dispose();
    }

    /// <summary>Answers every request with EngineDone; request 1 is held at the gate.</summary>
    private sealed class Seat(WorkerTests test, NodeOptions options) : EngineSeat(options, new NodeWeights())
    {
        private readonly int thread = Environment.CurrentManagedThreadId;

        public override void Dispose()
        {
            Assert.Equal(thread, Environment.CurrentManagedThreadId);
            Interlocked.Increment(ref test.disposed);
        }

        protected override void Open(StageContext context, CheckpointReference? checkpoint, IEngineFactory engines) => throw new NotSupportedException();

        protected override IEngineReply Call(IEngineRequest request, long started)
        {
            Assert.Equal(thread, Environment.CurrentManagedThreadId);
            test.calls.Enqueue((request.RequestId, DateTime.UtcNow));
            test.gate.Pass("call", request.RequestId);
            return test.failing(request.RequestId) is { } exception ? throw exception : Done(request, started);
        }
    }

    private IActorRef Worker()
    {
        var (options, test) = (node.Options, this);
        return node.System.ActorOf(Props.Create(() => new WorkerActor(Role.Data, options, _ => new Seat(test, options))));
    }

    private void Send(IActorRef worker, params long[] requests)
    {
        foreach (var id in requests)
            inbox.Send(worker, new LoadData { RunId = "r", RequestId = id });
    }

    private async Task<T> ReceiveAsync<T>() => Assert.IsType<T>(await inbox.ReceiveAsync(TimeSpan.FromSeconds(30)));

    private static Task<WorkerStatus> Status(IActorRef worker) => worker.Ask<WorkerStatus>(new GetWorkerStatus(), TimeSpan.FromSeconds(30));

    [Fact]
    public async Task Status_is_answered_while_the_engine_works_and_says_at_what()
    {
        var worker = Worker();
        Assert.Equal("idle", (await Status(worker)).State);
        Send(worker, 1, 2, 3);
        await gate.Reached;

        var status = await Status(worker);
        Assert.Equal(("data", "working", "LoadData of run 'r'", 2, 0L), (status.Role, status.State, status.What, status.Queued, status.Done));

        gate.Open();
        foreach (var id in (long[])[1, 2, 3])
            Assert.Equal(id, (await ReceiveAsync<EngineDone>()).RequestId);
        Assert.Equal(("idle", 3L), ((await Status(worker)).State, (await Status(worker)).Done));
    }

    [Fact]
    public async Task A_request_that_is_asked_again_while_it_is_queued_or_done_is_done_once()
    {
        var worker = Worker();
        Send(worker, 1);
        await gate.Reached;
        Send(worker, 1, 2, 2, 1);
        gate.Open();
        Assert.Equal(1, (await ReceiveAsync<EngineDone>()).RequestId);
        Assert.Equal(2, (await ReceiveAsync<EngineDone>()).RequestId);
        Send(worker, 9);
        Assert.Equal(9, (await ReceiveAsync<EngineDone>()).RequestId);
        Assert.Equal([1L, 2L, 9L], calls.Select(c => c.Request));
    }

    [Fact]
    public async Task Cancel_empties_the_queue_at_once_and_drops_the_answer_of_the_call_in_progress()
    {
        var worker = Worker();
        Send(worker, 1, 2, 3);
        await gate.Reached;
        worker.Tell(new CancelWork { RunId = "r" });
        Assert.Equal(("working", 0), ((await Status(worker)).State, (await Status(worker)).Queued));

        Send(worker, 4);
        gate.Open();
        Assert.Equal(4, (await ReceiveAsync<EngineDone>()).RequestId);
        Assert.Equal([1L, 4L], calls.Select(c => c.Request));
    }

    [Fact]
    public async Task A_draining_worker_ends_what_is_queued_refuses_what_comes_and_says_when_it_is_done()
    {
        var worker = Worker();
        Send(worker, 1, 2);
        await gate.Reached;
        inbox.Send(worker, new DrainWorker());
        Send(worker, 3);

        var refused = await ReceiveAsync<EngineFailed>();
        Assert.Equal((3L, false), (refused.RequestId, refused.EngineLost));
        Assert.Contains("drained", refused.Message);
        Assert.Equal("draining", (await Status(worker)).State);
        gate.Open();
        Assert.Equal(1, (await ReceiveAsync<EngineDone>()).RequestId);
        Assert.Equal(2, (await ReceiveAsync<EngineDone>()).RequestId);
        Assert.Equal("data", (await ReceiveAsync<WorkerDrained>()).Role);
    }

    [Fact]
    public async Task A_restarted_worker_ends_the_call_in_progress_fails_what_is_queued_and_goes_on_with_a_new_engine()
    {
        var worker = Worker();
        Send(worker, 1, 2);
        await gate.Reached;
        inbox.Send(worker, new RestartWorker());

        var refused = await ReceiveAsync<EngineFailed>();
        Assert.Equal((2L, true), (refused.RequestId, refused.EngineLost));
        Assert.Equal("working", (await ReceiveAsync<WorkerStatus>()).State);
        gate.Open();
        var ended = await ReceiveAsync<EngineFailed>();
        Assert.Equal((1L, true), (ended.RequestId, ended.EngineLost));
        Send(worker, 3);
        Assert.Equal(3, (await ReceiveAsync<EngineDone>()).RequestId);
        Assert.Equal(1, Volatile.Read(ref disposed));
        inbox.Send(worker, new RestartWorker());
        Assert.Equal("idle", (await ReceiveAsync<WorkerStatus>()).State); // nobody would learn that its engine is gone
    }

    [Fact]
    public async Task An_engine_that_is_closed_during_a_call_is_disposed_on_its_thread_before_that_is_answered()
    {
        var worker = Worker();
        Send(worker, 1, 2);
        await gate.Reached;
        inbox.Send(worker, new CloseEngine { RunId = "r", RequestId = 5 });
        await Status(worker);
        Assert.Equal(0, disposed);

        gate.Open();
        Assert.Equal(1, (await ReceiveAsync<EngineDone>()).RequestId);
        Assert.Equal(5, (await ReceiveAsync<EngineDone>()).RequestId); // not 2: what waited is of no use to who closes the engine
        Assert.Equal(1, Assert.Single(calls).Request);
        Assert.Equal(1, disposed);
    }

    [Theory]
    [InlineData(typeof(IOException), FailureKind.Infrastructure)]
    [InlineData(typeof(InvalidDataException), FailureKind.Data)]
    public async Task A_failed_call_is_answered_with_its_cause_and_what_waits_behind_it_with_it(Type exception, FailureKind kind)
    {
        failing = id => id == 1 ? (Exception)Activator.CreateInstance(exception, "broken")! : null;
        var worker = Worker();
        Send(worker, 1, 2);
        await gate.Reached;
        gate.Open();

        var failed = await ReceiveAsync<EngineFailed>();
        Assert.Equal((1L, kind, true, "data"), (failed.RequestId, failed.Kind, failed.EngineLost, failed.Role));
        Assert.Contains("LoadData on the data worker: broken", failed.Message);
        var behind = await ReceiveAsync<EngineFailed>();
        Assert.Equal((2L, true), (behind.RequestId, behind.EngineLost));
        Send(worker, 3);
        Assert.Equal(3, (await ReceiveAsync<EngineDone>()).RequestId);
        Assert.Equal(1, disposed);
    }

    [Fact]
    public async Task The_pause_before_a_successor_doubles_with_each_failure_in_a_row_and_starts_anew_after_a_success()
    {
        failing = id => id is 11 or 12 or 13 or 21 ? new IOException("broken") : null;
        var worker = Worker();
        foreach (var id in (long[])[11, 12, 13])
        {
            Send(worker, id);
            await ReceiveAsync<EngineFailed>();
            inbox.Send(worker, new CloseEngine { RunId = "r", RequestId = 99 }); // as a run does before it opens all engines again
            await ReceiveAsync<EngineDone>();
        }
        foreach (var id in (long[])[14, 21, 22])
        {
            Send(worker, id);
            Assert.Equal(id, Assert.IsAssignableFrom<IEngineReply>(await inbox.ReceiveAsync(TimeSpan.FromSeconds(30))).RequestId);
        }

        var pauses = calls.Zip(calls.Skip(1)).ToDictionary(pair => pair.Item2.Request, pair => (pair.Item2.At - pair.Item1.At).TotalMilliseconds);
        // The scheduler's tick is 10 ms; only lower bounds, because a loaded machine may take longer.
        Assert.True(pauses[12] >= 50, $"{pauses[12]} ms after the first failure");
        Assert.True(pauses[13] >= 110, $"{pauses[13]} ms after the second failure");
        Assert.True(pauses[14] >= 230, $"{pauses[14]} ms after the third failure");
        Assert.True(pauses[22] >= 50, $"{pauses[22]} ms after a failure that followed a success");
    }
}
