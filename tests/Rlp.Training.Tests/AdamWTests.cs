using Rlp.Models;
using Rlp.Training.Recipes;
using static TorchSharp.torch;

namespace Rlp.Training.Tests;

public sealed class AdamWTests
{
    private static ParameterArena Arena()
    {
        var layout = new ArenaLayout();
        layout.AddMatrix("w", 3, ("w", 2));
        layout.AddVector("g", 4);
        var arena = new ParameterArena(layout, trainable: true);
        arena.Initialize(1, 0.5);
        return arena;
    }

    [Fact]
    public void Follows_the_published_algorithm_number_by_number()
    {
        using var arena = Arena();
        var settings = new OptimizerSettings { LearningRate = 0.01, WeightDecay = 0.1, Beta1 = 0.9, Beta2 = 0.95, Epsilon = 1e-8, MaxGradNorm = 0 };
        using var optimizer = new AdamW(arena, settings, totalSteps: 10);
        double[] theta = [.. arena.Values.data<float>().Select(v => (double)v)], m = new double[theta.Length], v = new double[theta.Length];
        var random = new Random(2);
        var used = arena.Layout.Slots.SelectMany(s => Enumerable.Range((int)s.Offset, (int)s.Length)).ToHashSet();
        for (var t = 1; t <= 5; t++)
        {
            var gradient = Enumerable.Range(0, theta.Length).Select(i => used.Contains(i) ? random.NextSingle() - 0.5f : 0f).ToArray();
            using (no_grad()) arena.Gradients!.copy_(tensor(gradient));
            optimizer.Update();
            for (var i = 0; i < theta.Length; i++)
            {
                m[i] = (0.9 * m[i]) + (0.1 * gradient[i]);
                v[i] = (0.95 * v[i]) + (0.05 * gradient[i] * gradient[i]);
                var decayed = i < 6; // the matrix; the vector behind it is not decayed
                theta[i] = (theta[i] * (decayed ? 1 - (0.01 * 0.1) : 1)) - (0.01 * (m[i] / (1 - Math.Pow(0.9, t))) / (Math.Sqrt(v[i] / (1 - Math.Pow(0.95, t))) + 1e-8));
            }
        }
        var actual = arena.Values.data<float>().ToArray();
        foreach (var i in used) Assert.Equal(theta[i], actual[i], 2e-6);
    }

    [Fact]
    public void A_long_gradient_is_scaled_down_to_the_bound_and_reported_as_it_was()
    {
        using var arena = Arena();
        using var optimizer = new AdamW(arena, new OptimizerSettings { LearningRate = 0.01, MaxGradNorm = 1 }, 10);
        using (no_grad()) arena["g"].grad!.copy_(tensor(new[] { 3f, 0f, 4f, 0f }));

        Assert.Equal(5.0, optimizer.Update(), 1e-5);
        Assert.Equal(1f, arena.Gradients!.norm().item<float>(), 1e-5f);
    }

    [Theory]
    [InlineData(LearningRateSchedule.Constant, 10, 1.0)]
    [InlineData(LearningRateSchedule.Constant, 110, 1.0)]
    [InlineData(LearningRateSchedule.Linear, 60, 0.55)]
    [InlineData(LearningRateSchedule.Linear, 110, 0.1)]
    [InlineData(LearningRateSchedule.Cosine, 60, 0.55)]
    [InlineData(LearningRateSchedule.Cosine, 110, 0.1)]
    public void Schedules_warm_up_and_end_where_they_say(LearningRateSchedule schedule, long step, double expected)
    {
        using var arena = Arena();
        using var optimizer = new AdamW(arena, new OptimizerSettings { LearningRate = 1, FinalLearningRate = 0.1, Schedule = schedule, WarmupSteps = 10 }, totalSteps: 110);
        Assert.Equal(0.3, optimizer.LearningRate(3), 1e-12);
        Assert.Equal(expected, optimizer.LearningRate(step), 1e-12);
    }
}
