namespace Rlp.Evaluation;

/// <summary>A mean over problems and its standard error over problems; the latter is NaN for a single problem.</summary>
public readonly record struct Accuracy(double Mean, double StandardError);

/// <summary>Accuracies from counts of right answers.</summary>
public static class AccuracyStatistics
{
    /// <summary>avg@k of one problem: the share of its k sampled answers that are right.</summary>
    public static double AverageAtK(int correct, int samples)
    {
        RequireCounts(correct, samples);
        return (double)correct / samples;
    }

    /// <summary>
    /// pass@k of one problem from n samples of which c are right: the unbiased estimate 1 - C(n-c, k) / C(n, k), the chance that k of the
    /// n samples, drawn without replacement, hold a right one (Chen et al. 2021, arXiv 2107.03374). Computed as a product: no binomial
    /// overflows.
    /// </summary>
    /// <exception cref="ArgumentOutOfRangeException">k is not between 1 and n, or c not between 0 and n.</exception>
    public static double PassAtK(int samples, int correct, int k)
    {
        RequireCounts(correct, samples);
        ArgumentOutOfRangeException.ThrowIfLessThan(k, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(k, samples);
        if (samples - correct < k) return 1;
        var allWrong = 1.0;
        for (var i = samples - correct + 1; i <= samples; i++) allWrong *= 1 - (double)k / i;
        return 1 - allWrong;
    }

    /// <summary>
    /// Mean over problems with s / sqrt(problems), s the sample standard deviation over problems (n - 1). Samples of one problem are not
    /// independent of each other, so the problem, not the sample, is the unit.
    /// </summary>
    /// <param name="perProblem">One value per problem, such as its <see cref="AverageAtK"/>.</param>
    /// <exception cref="ArgumentException">There is no problem.</exception>
    public static Accuracy OverProblems(IReadOnlyCollection<double> perProblem)
    {
        if (perProblem.Count == 0) throw new ArgumentException("an accuracy needs at least one problem", nameof(perProblem));
        var mean = perProblem.Average();
        var squares = perProblem.Sum(p => (p - mean) * (p - mean));
        return new Accuracy(mean, Math.Sqrt(squares / (perProblem.Count - 1) / perProblem.Count));
    }

    private static void RequireCounts(int correct, int samples)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(samples, 1);
        ArgumentOutOfRangeException.ThrowIfNegative(correct);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(correct, samples);
    }
}
