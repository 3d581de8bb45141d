using System.Numerics;

namespace Rlp.Evaluation.Tests;

public sealed class AccuracyStatisticsTests
{
    [Fact]
    public void Pass_at_k_is_the_share_of_all_k_subsets_that_hold_a_right_answer()
    {
        for (var n = 1; n <= 8; n++)
            for (var c = 0; c <= n; c++)
                for (var k = 1; k <= n; k++)
                {
                    var right = (1 << c) - 1; // the first c of the n samples are right
                    var subsets = Enumerable.Range(0, 1 << n).Where(s => BitOperations.PopCount((uint)s) == k).ToArray();
                    Assert.Equal((double)subsets.Count(s => (s & right) != 0) / subsets.Length, AccuracyStatistics.PassAtK(n, c, k), 12);
                }
    }

    [Fact]
    public void Pass_at_1_is_the_average_over_the_samples() =>
        Assert.Equal(AccuracyStatistics.AverageAtK(37, 200), AccuracyStatistics.PassAtK(200, 37, 1), 12);

    [Fact]
    public void Pass_at_k_stays_exact_where_binomials_overflow()
    {
        static BigInteger Choose(int n, int k) =>
            Enumerable.Range(1, k).Aggregate(BigInteger.One, (product, i) => product * (n - k + i) / i);
        var exact = 1 - (double)(Choose(9_900, 500) * 1_000_000_000_000 / Choose(10_000, 500)) / 1e12;
        Assert.Equal(exact, AccuracyStatistics.PassAtK(10_000, 100, 500), 9);
    }

    [Fact]
    public void The_mean_over_problems_has_the_standard_error_of_the_textbook()
    {
        // 0, 1/2, 1: variance with n - 1 is 1/4, so the standard error is 0.5 / sqrt(3).
        var accuracy = AccuracyStatistics.OverProblems([0, .5, 1]);
        Assert.Equal(.5, accuracy.Mean, 15);
        Assert.Equal(.5 / Math.Sqrt(3), accuracy.StandardError, 15);
    }

    [Fact]
    public void The_standard_error_is_the_spread_of_the_mean_over_repeated_draws_of_problems()
    {
        var random = new Random(5);
        var runs = Enumerable.Range(0, 4000)
            .Select(_ => Enumerable.Range(0, 50).Select(_ => Math.Pow(random.NextDouble(), 2)).ToArray())
            .Select(AccuracyStatistics.OverProblems)
            .ToArray();
        var mean = runs.Average(r => r.Mean);
        var spread = Math.Sqrt(runs.Average(r => (r.Mean - mean) * (r.Mean - mean)));
        Assert.InRange(runs.Average(r => r.StandardError) / spread, .96, 1.04);
    }

    [Fact]
    public void One_problem_has_no_standard_error_and_none_has_no_accuracy()
    {
        Assert.Equal(new Accuracy(.25, double.NaN), AccuracyStatistics.OverProblems([.25]));
        Assert.Throws<ArgumentException>(() => AccuracyStatistics.OverProblems([]));
    }

    [Fact]
    public void Impossible_counts_are_refused()
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => AccuracyStatistics.AverageAtK(3, 2));
        Assert.Throws<ArgumentOutOfRangeException>(() => AccuracyStatistics.AverageAtK(-1, 2));
        Assert.Throws<ArgumentOutOfRangeException>(() => AccuracyStatistics.AverageAtK(0, 0));
        Assert.Throws<ArgumentOutOfRangeException>(() => AccuracyStatistics.PassAtK(4, 2, 5));
        Assert.Throws<ArgumentOutOfRangeException>(() => AccuracyStatistics.PassAtK(4, 2, 0));
    }
}
