using System.Diagnostics;
using Akka.Actor;
using Akka.Event;
using Rlp.Protocol.Commands;
using Rlp.Protocol.Replies;
using Rlp.Protocol.Runs;

namespace Rlp.Actors.Workers;

/// <summary>
/// Runs on a dispatcher with one thread of its own (engines are thread-bound) and makes one engine call per message. The first call that
/// throws is its last: it says so to the front, which starts a successor. A disk that does not take a checkpoint is no fault of the engine's,
/// which has all that it had and goes on.
/// </summary>
internal sealed class EngineActor : ReceiveActor
{
    private readonly EngineSeat seat;

    public EngineActor(Role role, Func<Role, EngineSeat> seats)
    {
        seat = seats(role);
        Receive<IEngineRequest>(request =>
        {
            var started = Stopwatch.GetTimestamp();
            try
            {
                Sender.Tell(seat.WithTickets(seat.Answer(request, started)));
            }
            catch (Exception exception)
            {
                var lost = request is not (WriteCheckpoint or SealCheckpoint) || exception is not (IOException or UnauthorizedAccessException);
                Sender.Tell(new EngineFailed
                {
                    RunId = request.RunId,
                    RequestId = request.RequestId,
                    Seconds = Stopwatch.GetElapsedTime(started).TotalSeconds,
                    Role = WorkerActor.NameOf(role),
                    Kind = FailureCause.Of(exception),
                    Message = $"{request.GetType().Name} on the {WorkerActor.NameOf(role)} worker: {exception.Message}",
                    EngineLost = lost,
                });
                if (lost)
                    throw;
            }
        });
    }

    protected override void PostStop()
    {
        try
        {
            seat.Dispose();
        }
        catch (Exception exception)
        {
            Context.GetLogger().Error(exception, "the engine of {0} could not be disposed", Self.Path);
        }
    }
}
