namespace Rlp.Models.Weights;

/// <summary>What the initial values of a network depend on beside its seed; names and defaults as in Hugging Face's config.json.</summary>
public sealed record InitializationSettings
{
    /// <summary>initializer_range: the standard deviation of matrices.</summary>
    public double Range { get; init; } = 0.02;

    /// <summary>
    /// time_step_min, time_step_max and time_step_floor of Mamba-2: initial dt is log-uniform between the first two, at least the third.
    /// </summary>
    public (double Min, double Max, double Floor) TimeStep { get; init; } = (0.001, 0.1, 1e-4);

    /// <summary>
    /// rescale_prenorm_residual: a Mamba mixer's out_proj is divided by the square root of this number of layers; null: it is not.
    /// </summary>
    public int? RescaledLayers { get; init; }
}
