using Rlp.Training.Engines;

namespace Rlp.Evaluation;

/// <summary>One row of a comparison: what a model can do and what its training took. Values that could not be measured are NaN.</summary>
public sealed record StageReport
{
    /// <summary>base, cpt, cpt_thoughts or rlp; another id is its own title.</summary>
    public required string Id { get; init; }

    /// <summary>The name that people read: BASE, CPT, CPT + thoughts, RLP.</summary>
    public string Title => TitleOf(Id);

    /// <summary>avg@k with thinking, in [0, 1], with its standard error over problems.</summary>
    public required double ThinkAccuracy { get; init; }

    public required double ThinkAccuracyStandardError { get; init; }

    /// <summary>avg@k without thinking, in [0, 1], with its standard error over problems.</summary>
    public required double NothinkAccuracy { get; init; }

    public required double NothinkAccuracyStandardError { get; init; }

    /// <summary>Mean information gain, nats.</summary>
    public required double InfoGain { get; init; }

    /// <summary>Mean thought length, tokens.</summary>
    public required double ThoughtLength { get; init; }

    /// <summary>T_inp: input tokens of the stage's training.</summary>
    public required double InputTokens { get; init; }

    /// <summary>Floating-point operations of the stage's training.</summary>
    public required double Flops { get; init; }

    /// <summary>Wall time of the stage's training, seconds.</summary>
    public required double Seconds { get; init; }

    public static StageReport Of(string id, EvaluationResult evaluation, double inputTokens, double flops, double seconds) => new()
    {
        Id = id,
        ThinkAccuracy = evaluation.ThinkAccuracy,
        ThinkAccuracyStandardError = evaluation.ThinkAccuracyStandardError,
        NothinkAccuracy = evaluation.NothinkAccuracy,
        NothinkAccuracyStandardError = evaluation.NothinkAccuracyStandardError,
        InfoGain = evaluation.InfoGain,
        ThoughtLength = evaluation.ThoughtLength,
        InputTokens = inputTokens,
        Flops = flops,
        Seconds = seconds,
    };

    public static string TitleOf(string id) => id switch
    {
        "base" => "BASE",
        "cpt" => "CPT",
        "cpt_thoughts" => "CPT + thoughts",
        "rlp" => "RLP",
        _ => id,
    };
}
