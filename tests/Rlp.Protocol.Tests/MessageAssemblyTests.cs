using CsCheck;
using Rlp.Protocol.Commands;
using Rlp.Protocol.Parts;
using Rlp.Protocol.Payloads;
using Rlp.Protocol.Queries;
using Rlp.Protocol.Serialization;

namespace Rlp.Protocol.Tests;

/// <summary>A message that comes in parts is the message that was sent, or none; what is no such sequence harms nothing.</summary>
public sealed class MessageAssemblyTests
{
    private sealed class Clock : TimeProvider
    {
        public TimeSpan Now { get; set; }

        public override long TimestampFrequency => TimeSpan.TicksPerSecond;

        public override long GetTimestamp() => Now.Ticks;
    }

    private readonly Clock clock = new();
    private readonly MessageAssembly<string> assembly;

    public MessageAssemblyTests() => assembly = new MessageAssembly<string>(clock, maximumBytes: 1000, maximumMessages: 3);

    private static ExecuteLane Message(int tokens, int lane = 1) => new()
    {
        RunId = "r",
        Lane = lane,
        Positions = [new WirePosition { Prefix = [.. Enumerable.Range(0, tokens)] }],
    };

    private static MessagePart[] Parts(IRunMessage message, int bytes = 50) => [.. MessagePart.Of(message, bytes)];

    private IRunMessage? Take(string sender, IEnumerable<MessagePart> parts) => parts.Select(p => assembly.Take(sender, p)).ToArray()[^1];

    private void AssertRefused(MessagePart part, string reason, string sender = "a") =>
        Assert.Contains(reason, Assert.Throws<InvalidDataException>(() => assembly.Take(sender, part)).Message);

    private void AssertUnharmed(string sender) => Assert.Equal(Samples.Text(Message(90)), Samples.Text(Take(sender, Parts(Message(90)))!));

    [Fact]
    public void A_message_of_any_size_comes_back_from_parts_of_any_size_with_its_keys_on_each_of_them() =>
        Gen.Select(Gen.Int[0, 200], Gen.Int[1, 600]).Sample((tokens, bytes) =>
        {
            var parts = Parts(Message(tokens), bytes);
            Assert.All(parts, p => Assert.Equal(("r", "r/1", true), (p.RunId, p.LaneId, p.Bytes.Length <= bytes)));
            var own = new MessageAssembly<string>(TimeProvider.System);
            Assert.All(parts.SkipLast(1), p => Assert.Null(own.Take("a", p)));
            Assert.Equal(Samples.Text(Message(tokens)), Samples.Text(own.Take("a", parts[^1])!));
            Assert.True(own.IsEmpty);
        });

    [Fact]
    public void Messages_of_several_senders_may_come_interleaved()
    {
        var senders = Enumerable.Range(0, 3).Select(lane => Parts(Message(80, 1 + lane), 10)).ToArray();
        for (var index = 0; index < senders[0].Length - 1; index++)
            for (var lane = 0; lane < senders.Length; lane++)
                Assert.Null(assembly.Take($"{lane}", senders[lane][index]));
        for (var lane = 0; lane < senders.Length; lane++)
            Assert.Equal(1 + lane, Assert.IsType<ExecuteLane>(assembly.Take($"{lane}", senders[lane][^1])).Lane);
    }

    [Fact]
    public void A_message_that_is_sent_again_is_taken_whatever_is_missing_of_the_one_before()
    {
        var parts = Parts(Message(90));
        Assert.True(parts.Length > 2);
        Take("a", parts[..^1]);
        AssertUnharmed("a");

        Take("a", parts[..1]);
        AssertRefused(parts[2], "part 1 is to come next");
        AssertUnharmed("a");
    }

    [Fact]
    public void What_comes_after_a_part_that_is_lost_is_refused_once_and_passed_over_then()
    {
        var parts = Parts(Message(200));
        AssertRefused(parts[1], $"part 1 of {parts.Length} of 'execute-lane/1' for run 'r' from a is refused with its message: part 0 is to come next");
        Assert.Null(Take("a", parts[2..]));
        Assert.Equal(0, assembly.Bytes);
        AssertUnharmed("a");
    }

    [Fact]
    public void A_part_that_comes_twice_or_is_of_another_sequence_is_refused_with_its_message()
    {
        var parts = Parts(Message(90));
        foreach (var (wrong, reason) in ((MessagePart, string)[])
        [
            (parts[0], "part 1 is to come next"),
            (parts[1] with { Count = 9 }, $"it began as {parts.Length} parts of 'execute-lane/1' for run 'r'"),
            (parts[1] with { Manifest = "stop-run/1" }, "it began as"),
            (parts[1] with { RunId = "s" }, "it began as"),
            (parts[1] with { Index = -1 }, "part 1 is to come next"),
        ])
        {
            Take("a", parts[..1]);
            AssertRefused(wrong, reason);
            Assert.Null(Take("a", parts[1..]));
            Assert.Equal(0, assembly.Bytes);
            AssertUnharmed("a");
        }
        AssertRefused(parts[0] with { Id = 1, Count = 0 }, "it has no such part");
    }

    [Fact]
    public void Nothing_but_a_registered_message_of_the_run_comes_out()
    {
        var part = Parts(Message(90), 1000).Single();
        AssertRefused(part with { Manifest = "System.String" }, "'System.String' is not the manifest of a registered message");
        AssertRefused(part with { RunId = "s" }, "it is not a message of that run");
        AssertRefused(part with { Manifest = "list-runs/1", Bytes = MessageRegistry.Serialize(new ListRuns()) }, "it is not a message of that run");
        AssertRefused(part with { Bytes = part.Bytes[..^1] }, "are not a message 'execute-lane/1'");
        AssertUnharmed("a");
    }

    [Fact]
    public void Incomplete_messages_take_no_more_than_their_room_and_others_find_theirs()
    {
        Take("b", Parts(Message(400), 400)[..1]);
        var large = Parts(Message(600), 100);
        Take("a", large[..6]);
        AssertRefused(large[6], "more than 1000 bytes");
        Assert.Equal(400, assembly.Bytes);
        Assert.Null(Take("a", large[7..]));
        Assert.Equal(400, assembly.Bytes);

        Take("c", Parts(Message(90))[..1]);
        AssertRefused(Parts(Message(90))[0], "3 others are not complete", "d");
        AssertUnharmed("a");
    }

    [Fact]
    public void A_message_whose_rest_does_not_come_is_dropped()
    {
        Take("a", Parts(Message(90))[..1]);
        clock.Now = TimeSpan.FromSeconds(20);
        var slow = Parts(Message(90));
        Take("b", slow[..1]);
        Assert.Equal(0, assembly.DropLost());
        clock.Now = TimeSpan.FromSeconds(40);
        Assert.Equal(1, assembly.DropLost());
        Assert.Equal(50, assembly.Bytes);
        Assert.NotNull(Take("b", slow[1..]));
        Assert.True(assembly.IsEmpty);
    }

    /// <summary>Random parts of a few messages, damaged at random: afterwards each sender's message is taken as ever.</summary>
    [Fact]
    public void No_sequence_of_parts_does_more_than_be_refused()
    {
        var pool = Parts(Message(90)).Concat(Parts(Message(40, 2))).ToArray();
        Gen.Select(Gen.Int[0, pool.Length - 1], Gen.Int[-1, 4], Gen.Int[-1, 4], Gen.Int[0, 4]).Array[0, 30].Sample(steps =>
        {
            var own = new MessageAssembly<int>(TimeProvider.System, 1000, 3);
            foreach (var (which, index, count, sender) in steps)
                try
                {
                    own.Take(sender, count == 0 ? pool[which] : pool[which] with { Index = index, Count = count });
                }
                catch (InvalidDataException)
                {
                }
            Assert.True(own.Bytes <= 1000);
        });
    }

    [Theory]
    [MemberData(nameof(Samples.Manifests), MemberType = typeof(Samples))]
    public void No_message_that_holds_tokens_is_taken_for_smaller_than_it_is(string manifest)
    {
        var message = Activator.CreateInstance(Samples.TypeOf(manifest))!;
        var wide = Fill(message);
        if (wide)
            Assert.InRange(MessageSize.AtMost((IRlpMessage)message), MessageRegistry.Serialize(message).Length, 2 * MessageRegistry.Serialize(message).Length);
        else
            Assert.True(MessageRegistry.Serialize(message).Length < 100);
    }

    /// <summary>Gives each list of tokens, positions, documents, groups and figures many elements; false where the message has none.</summary>
    private static bool Fill(object message)
    {
        int[] tokens = [.. Enumerable.Repeat(260_000, 1000)];
        var position = new WirePosition { Group = 1, Prefix = tokens, NextToken = 260_000 };
        var thought = new WireThought { Tokens = tokens, LogProbabilities = [.. Enumerable.Repeat(-0.1f, 1000)], PredictedEvidence = -1, Clipped = true };
        var group = new WireGroup { Position = position, Thoughts = [thought, thought], ThoughtsSha256 = new string('a', 64), PolicyVersion = 1L << 40 };
        Array[] kinds = [new[] { new WireDocument { Tokens = tokens } }, new[] { position }, new[] { group }, Enumerable.Repeat(-1.5, 1000).ToArray()];
        var filled = false;
        foreach (var member in Samples.Members(message.GetType()))
            if (Array.Find(kinds, k => k.GetType() == member.PropertyType) is { } many)
            {
                member.SetValue(message, many);
                filled = true;
            }
        return filled;
    }
}
