using System.Collections;
using System.Reflection;
using Rlp.Protocol.Commands;
using Rlp.Protocol.Events;
using Rlp.Protocol.Payloads;
using Rlp.Protocol.Serialization;

namespace Rlp.Protocol.Tests;

/// <summary>What is written is what is read, bit for bit.</summary>
public sealed class RoundTripTests
{
    private static object Through(object message)
    {
        var manifest = MessageRegistry.ManifestOf(message.GetType());
        var read = MessageRegistry.Deserialize(manifest, MessageRegistry.Serialize(message));
        Assert.Equal(message.GetType(), read.GetType());
        return read;
    }

    [Theory]
    [MemberData(nameof(Samples.Manifests), MemberType = typeof(Samples))]
    public void Every_member_of_a_message_comes_back(string manifest)
    {
        var full = Samples.Full(Samples.TypeOf(manifest));
        AssertNothingDefault(full);
        Assert.Equal(Samples.Text(full), Samples.Text(Through(full)));
    }

    [Theory]
    [MemberData(nameof(Samples.Manifests), MemberType = typeof(Samples))]
    public void A_message_of_defaults_comes_back(string manifest)
    {
        var empty = Activator.CreateInstance(Samples.TypeOf(manifest))!;
        Assert.Equal(Samples.Text(empty), Samples.Text(Through(empty)));
    }

    [Theory]
    [MemberData(nameof(Samples.Manifests), MemberType = typeof(Samples))]
    public void A_null_array_or_map_is_read_as_an_empty_one(string manifest)
    {
        var type = Samples.TypeOf(manifest);
        var message = Activator.CreateInstance(type)!;
        foreach (var member in Samples.Members(type).Where(IsCollection))
            member.SetValue(message, null);
        var read = Through(message);
        foreach (var member in Samples.Members(type).Where(IsCollection))
            Assert.Empty(Assert.IsAssignableFrom<IEnumerable>(member.GetValue(read)));
    }

    [Theory]
    [InlineData(-0.0)]
    [InlineData(double.NaN)]
    [InlineData(double.NegativeInfinity)]
    [InlineData(double.Epsilon)]
    public void Figures_come_back_with_their_bits(double value)
    {
        var applied = new StepApplied { Loss = value, GradNorm = value, RewardMean = value };
        var group = new AcceptedGroup { PredictedEvidence = [value], TeacherEvidence = value, Rewards = [value] };
        var delivery = new LaneCompleted
        {
            Groups = [new WireGroup { TeacherEvidence = value, Thoughts = [new WireThought { PredictedEvidence = value, LogProbabilities = [(float)value] }] }],
        };
        foreach (object message in (object[])[applied, new GroupsAccepted { Groups = [group] }, delivery])
            Assert.Equal(Samples.Text(message), Samples.Text(Through(message)));
    }

    [Fact]
    public void A_missing_optional_is_not_taken_for_zero_or_empty()
    {
        var read = (StepApplied)Through(new StepApplied());
        Assert.Null(read.RewardMean);
        Assert.Null(read.ThoughtsSha256);
        Assert.Equal(0, ((StepApplied)Through(new StepApplied { RewardMean = 0 })).RewardMean);
        Assert.Equal("", ((StepApplied)Through(new StepApplied { ThoughtsSha256 = "" })).ThoughtsSha256);
        Assert.Null(((StageStarted)Through(new StageStarted())).From);
    }

    private static bool IsCollection(PropertyInfo member) => member.PropertyType != typeof(string) && typeof(IEnumerable).IsAssignableFrom(member.PropertyType);

    private static void AssertNothingDefault(object message)
    {
        var fresh = Activator.CreateInstance(message.GetType())!;
        foreach (var member in Samples.Members(message.GetType()))
            Assert.False(Equals(member.GetValue(fresh), member.GetValue(message)), $"{message.GetType().Name}.{member.Name} has its default");
    }
}
