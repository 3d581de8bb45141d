using static TorchSharp.torch;

namespace Rlp.Objective.Tests;

public sealed class ExponentialMovingAverageTests
{
    [Fact]
    public void After_n_updates_towards_a_constant_the_distance_shrank_by_tau_to_the_n()
    {
        using var teacher = tensor(new[] { 1.0, -2.0 });
        using var policy = tensor(new[] { 3.0, 4.0 });

        for (var n = 0; n < 100; n++) ExponentialMovingAverage.Update(teacher, policy, 0.99);

        var left = Math.Pow(0.99, 100);
        Assert.Equal(3.0 - (2.0 * left), teacher[0].item<double>(), 1e-12);
        Assert.Equal(4.0 - (6.0 * left), teacher[1].item<double>(), 1e-12);
    }
}
