using Akka.Actor;
using Rlp.Actors.Serialization;
using Rlp.Protocol;
using Rlp.Protocol.Commands;
using Rlp.Protocol.Events;
using Rlp.Protocol.Replies;
using Rlp.Protocol.Serialization;

namespace Rlp.Actors.Tests;

/// <summary>Registered messages are written by our serializer, and nothing else is written or read at all.</summary>
public sealed class SerializationTests : IAsyncLifetime
{
    private readonly TemporaryFolder folder = new();
    private TestNode node = null!;

    public async ValueTask InitializeAsync() => node = await TestNode.StartAsync(TestNode.OptionsFor(folder.Path, new FakeEngines()));

    public async ValueTask DisposeAsync()
    {
        await node.DisposeAsync();
        folder.Dispose();
    }

    private sealed record Unregistered : IRlpMessage;

    private sealed record Foreign(string Text);

    [Fact]
    public void Every_registered_message_is_written_by_our_serializer_and_read_back_by_its_manifest()
    {
        var serialization = node.System.Serialization;
        foreach (var (manifest, type) in MessageRegistry.Messages)
        {
            var message = Activator.CreateInstance(type)!;
            var serializer = Assert.IsType<RlpSerializer>(serialization.FindSerializerFor(message));
            Assert.Equal(manifest, serializer.Manifest(message));
            Assert.IsType(type, serialization.Deserialize(serializer.ToBinary(message), 5121, manifest)); // the id that journals hold
        }
    }

    [Fact]
    public void A_message_type_that_is_not_registered_is_refused_by_its_name()
    {
        var serialization = node.System.Serialization;
        Assert.Contains(nameof(Unregistered), Assert.ThrowsAny<Exception>(() => serialization.Serialize(new Unregistered())).Message);
        Assert.ThrowsAny<Exception>(() => serialization.Deserialize([], RlpSerializer.Id, "foreign/1"));
    }

    [Fact]
    public void A_type_that_is_no_message_of_ours_has_no_serializer_to_fall_back_to() =>
        Assert.Contains(nameof(Foreign), Assert.ThrowsAny<Exception>(() => node.System.Serialization.Serialize(new Foreign("text"))).Message);

    [Fact]
    public async Task In_these_tests_every_message_of_a_run_goes_through_its_bytes_between_any_two_actors()
    {
        var actor = node.System.ActorOf(Props.Create(() => new Echo()));
        var message = new StopRun { RunId = "r", Reason = "why" };
        var echoed = await actor.Ask<object>(message, TimeSpan.FromSeconds(30));
        Assert.Equal(message, echoed);
        Assert.NotSame(message, echoed);

        await node.RunAsync("r", Recipes.Full());
        var seen = RoundTripMailbox.SeenBy(node.System);
        foreach (var (role, type) in ((string, Type)[])
            [
                ("data", typeof(LoadData)), ("ema", typeof(UpdateTeacher)),
                ("learner", typeof(ApplyNtpStep)), ("learner", typeof(ApplyRlpStep)), ("learner", typeof(SealCheckpoint)),
                ("rollout", typeof(SampleThoughts)), ("rollout", typeof(EvaluatePolicy)), ("reward", typeof(ScorePositions)),
            ])
        {
            Assert.Contains(($"/user/node/{role}", type), seen);
            Assert.Contains(seen, s => s.Receiver.StartsWith($"/user/node/{role}/") && s.Message == type); // the engine
        }
        foreach (var type in (Type[])
            [typeof(DataLoaded), typeof(StepLearned), typeof(LaneCompleted), typeof(CheckpointSealed), typeof(PolicyEvaluated), typeof(LeaseGranted)])
            Assert.Contains(seen, s => s.Receiver.StartsWith("/system/sharding/run/") && s.Receiver.EndsWith("/r") && s.Message == type);
        foreach (var type in (Type[])[typeof(ExecuteLane), typeof(ThoughtsSampled), typeof(PositionsScored)])
            Assert.Contains(seen, s => s.Receiver.StartsWith("/system/sharding/lane/") && s.Message == type);
        Assert.Contains(seen, s => s.Receiver.StartsWith("/user/$") && s.Message == typeof(StepProgress)); // who asked for the run
        Assert.DoesNotContain(seen, s => s.Message.IsAssignableTo(typeof(IRunEvent))); // events are journaled, not sent
    }

    private sealed class Echo : ReceiveActor
    {
        public Echo() => ReceiveAny(message => Sender.Tell(message));
    }
}
