using Rlp.Models;
using Rlp.Training.Recipes;
using static TorchSharp.torch;

namespace Rlp.Training;

/// <summary>
/// AdamW (Loshchilov and Hutter 2019) with gradient clipping, as two passes over the flat arena: the norm, then the update. Decay applies to
/// matrices, not to the weights of norms.
/// </summary>
public sealed class AdamW : IDisposable
{
    private readonly ParameterArena parameters;
    private readonly OptimizerSettings settings;
    private readonly long totalSteps;

    /// <param name="totalSteps">Steps of the stage: where a schedule ends.</param>
    public AdamW(ParameterArena parameters, OptimizerSettings settings, long totalSteps)
    {
        (this.parameters, this.settings, this.totalSteps) = (parameters, settings, totalSteps);
        FirstMoment = zeros_like(parameters.Master).DetachFromDisposeScope();
        SecondMoment = zeros_like(parameters.Master).DetachFromDisposeScope();
    }

    /// <summary>Updates made so far.</summary>
    public long Steps { get; set; }

    public Tensor FirstMoment { get; }

    public Tensor SecondMoment { get; }

    /// <summary>The learning rate of update <paramref name="step"/> (1-based).</summary>
    public double LearningRate(long step)
    {
        var peak = settings.LearningRate;
        if (step <= settings.WarmupSteps) return peak * step / settings.WarmupSteps;
        var progress = totalSteps <= settings.WarmupSteps ? 1.0 : Math.Min(1.0, (double)(step - settings.WarmupSteps) / (totalSteps - settings.WarmupSteps));
        return settings.Schedule switch
        {
            LearningRateSchedule.Linear => peak + ((settings.FinalLearningRate - peak) * progress),
            LearningRateSchedule.Cosine => settings.FinalLearningRate + ((peak - settings.FinalLearningRate) * 0.5 * (1 + Math.Cos(Math.PI * progress))),
            _ => peak,
        };
    }

    /// <summary>Applies the arena's gradients, which stay as they are.</summary>
    /// <returns>The gradient's 2-norm before clipping.</returns>
    /// <exception cref="TrainingDivergedException">The gradient is not finite; the parameters are left as they were.</exception>
    public double Update()
    {
        using var noGradient = no_grad();
        using var scope = NewDisposeScope();
        var gradient = parameters.Gradients ?? throw new InvalidOperationException("the arena has no gradients");
        var norm = GradientNorm.Of(gradient);
        if (!double.IsFinite(norm)) throw new TrainingDivergedException($"the gradient norm of update {Steps + 1} is {norm}; lower the learning rate or look at the data of this step");

        Steps++;
        var rate = LearningRate(Steps);
        var update = new AdamWStep(
            GradientScale: settings.MaxGradNorm > 0 && norm > settings.MaxGradNorm ? settings.MaxGradNorm / norm : 1, settings.Beta1, settings.Beta2,
            Kept: 1 - (rate * settings.WeightDecay), Rate: rate / (1 - Math.Pow(settings.Beta1, Steps)),
            SecondCorrection: Math.Sqrt(1 - Math.Pow(settings.Beta2, Steps)), settings.Epsilon);
        var decayed = parameters.Layout.DecayedLength;
        Apply(update, gradient, 0, decayed);
        Apply(update with { Kept = 1 }, gradient, decayed, parameters.Layout.Length - decayed);
        parameters.RoundMaster();
        return norm;
    }

    private void Apply(AdamWStep update, Tensor gradient, long begin, long count)
    {
        if (count == 0) return;
        update.Apply(
            parameters.Master.narrow(0, begin, count), FirstMoment.narrow(0, begin, count), SecondMoment.narrow(0, begin, count),
            gradient.narrow(0, begin, count));
    }

    public void Dispose()
    {
        FirstMoment.Dispose();
        SecondMoment.Dispose();
    }
}
