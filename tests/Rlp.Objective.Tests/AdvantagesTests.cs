using static TorchSharp.torch;

namespace Rlp.Objective.Tests;

public sealed class AdvantagesTests
{
    [Theory]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(16)]
    public void Equal_the_reward_minus_the_mean_of_the_other_rewards_of_the_group(int groupSize)
    {
        var random = new Random(groupSize);
        var rewards = Enumerable.Range(0, 5).Select(_ => Enumerable.Range(0, groupSize).Select(_ => random.NextDouble() * 4 - 2).ToArray()).ToArray();

        using var advantages = Advantages.LeaveOneOut(tensor(rewards.SelectMany(r => r).ToArray(), [5, groupSize]));

        for (var b = 0; b < 5; b++)
            for (var i = 0; i < groupSize; i++)
            {
                var others = (rewards[b].Sum() - rewards[b][i]) / (groupSize - 1);
                Assert.Equal(rewards[b][i] - others, advantages[b, i].item<double>(), 1e-12);
            }
    }

    [Fact]
    public void Are_not_divided_by_a_standard_deviation()
    {
        using var small = Advantages.LeaveOneOut(tensor(new double[,] { { 1, 2, 4 } }));
        using var large = Advantages.LeaveOneOut(tensor(new double[,] { { 10, 20, 40 } }));

        Assert.True((small * 10).allclose(large));
    }

    [Fact]
    public void Do_not_depend_on_what_the_teacher_gives_to_the_position()
    {
        var predicted = tensor(new double[,] { { -1, -2, -0.5 }, { -3, -1, -1.5 } });
        using var one = Advantages.LeaveOneOut(InformationGain.Rewards(predicted, tensor(new double[] { -2, -4 })));
        using var other = Advantages.LeaveOneOut(InformationGain.Rewards(predicted, tensor(new double[] { -0.1, -9 })));

        Assert.True(one.allclose(other, 1e-12, 1e-12));
    }

    [Fact]
    public void Refuse_a_group_of_one()
    {
        var error = Assert.Throws<ArgumentException>(() => Advantages.LeaveOneOut(zeros(4, 1)));
        Assert.Contains("at least 2", error.Message);
    }

    [Fact]
    public void Carry_no_gradient_to_the_rewards()
    {
        var rewards = tensor(new[,] { { 1f, 2f } }, requires_grad: true);
        Assert.False(Advantages.LeaveOneOut(rewards).requires_grad);
        Assert.False(InformationGain.Rewards(rewards, tensor(new[] { 1f }, requires_grad: true)).requires_grad);
    }
}
