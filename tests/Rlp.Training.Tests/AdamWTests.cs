using Rlp.Models;
using Rlp.Objective;
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
        Assert.Equal(5f, arena.Gradients!.norm().item<float>(), 1e-5f);
        Assert.Equal(0.1f, optimizer.FirstMoment.norm().item<float>(), 1e-6f); // of a gradient of norm 1
    }

    /// <summary>As a handful of tensor operations: clip, moments, decay, update.</summary>
    private static void Plain(
        Tensor weights, Tensor first, Tensor second, Tensor gradient, long decayed, OptimizerSettings settings, double rate, long step)
    {
        var norm = gradient.to(float64).norm().item<double>();
        if (norm > settings.MaxGradNorm) gradient = gradient.Times(settings.MaxGradNorm / norm);
        first.TimesInPlace(settings.Beta1).PlusInPlace(gradient, 1 - settings.Beta1);
        second.TimesInPlace(settings.Beta2).PlusProductInPlace(gradient, gradient, 1 - settings.Beta2);
        weights.narrow(0, 0, decayed).TimesInPlace(1 - (rate * settings.WeightDecay));
        var denominator = second.sqrt().OverInPlace(Math.Sqrt(1 - Math.Pow(settings.Beta2, step))).PlusInPlace(settings.Epsilon);
        weights.PlusQuotientInPlace(first, denominator, -rate / (1 - Math.Pow(settings.Beta1, step)));
    }

    [Fact]
    public void Fifty_steps_with_warm_up_decay_and_clipping_equal_the_plain_operations()
    {
        using var noGradient = no_grad();
        using var scope = NewDisposeScope();
        var layout = new ArenaLayout();
        layout.AddMatrix("w", 333, ("w", 600)); // several pieces of the norm, and a rest
        layout.AddVector("g", 100);
        using var arena = new ParameterArena(layout, trainable: true);
        arena.Initialize(1, 0.02);
        var settings = new OptimizerSettings
        {
            LearningRate = 1e-3,
            FinalLearningRate = 1e-4,
            Schedule = LearningRateSchedule.Cosine,
            WarmupSteps = 10,
            WeightDecay = 0.1,
            MaxGradNorm = 1,
        };
        using var optimizer = new AdamW(arena, settings, totalSteps: 50);
        Tensor weights = arena.Master.clone(), first = zeros_like(weights), second = zeros_like(weights), start = weights.clone();
        var random = new Generator(5);
        var clipped = 0;
        for (var step = 1; step <= 50; step++)
        {
            using var inner = NewDisposeScope();
            arena.Gradients!.copy_(randn(layout.Length, generator: random) * (step % 3 == 0 ? 1e-4 : 1e-2));
            Plain(weights, first, second, arena.Gradients, layout.DecayedLength, settings, optimizer.LearningRate(step), step);
            var norm = optimizer.Update();
            Assert.Equal(arena.Gradients.to(float64).norm().item<double>(), norm, 1e-12 * norm);
            if (norm > 1) clipped++;
        }

        Assert.InRange(clipped, 30, 40);
        Assert.True(Distance(start, weights) > 0.1);
        Assert.InRange(Distance(weights, arena.Master), 0, 1e-6);
        Assert.InRange(Distance(first, optimizer.FirstMoment), 0, 1e-6);
        Assert.InRange(Distance(second, optimizer.SecondMoment), 0, 1e-6);
    }

    [Fact]
    public void One_pass_gives_what_tensor_operations_give_on_other_devices()
    {
        using var noGradient = no_grad();
        using var scope = NewDisposeScope();
        var random = new Generator(6);
        var update = new AdamWStep(GradientScale: 0.3, Beta1: 0.9, Beta2: 0.95, Kept: 0.99, Rate: 0.01, SecondCorrection: 0.5, Epsilon: 1e-8);
        Tensor[] fused = [.. Enumerable.Range(0, 4).Select(_ => randn(160_000, generator: random).abs())], plain = [.. fused.Select(t => t.clone())];

        update.ApplyFused(fused[0], fused[1], fused[2], fused[3]);
        update.ApplyByOperations(plain[0], plain[1], plain[2], plain[3]);

        for (var i = 0; i < 3; i++) Assert.InRange(Distance(plain[i], fused[i]), 0, 1e-6);
        Assert.Equal(plain[3], fused[3]);
    }

    /// <summary>Relative to the first.</summary>
    private static double Distance(Tensor a, Tensor b) => ((a - b).norm() / a.norm()).item<float>();

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
