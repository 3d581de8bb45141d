using Rlp.Training.Metrics;

namespace Rlp.Training.Tests.Metrics;

public sealed class StepLineTests
{
    private static readonly Dictionary<string, double> RlpStep = new()
    {
        [MetricNames.InfoGain] = 2.3149,
        [MetricNames.Loss] = -0.01234,
        [MetricNames.GradNorm] = 0.4101,
        [MetricNames.MeanLength] = 4.96,
        [MetricNames.ClipRatioRegion] = 0,
        [MetricNames.TokensPerSecond] = 12_345,
        [MetricNames.DataSeconds] = 0.0011,
        [MetricNames.RolloutSeconds] = 0.0383,
        [MetricNames.RewardSeconds] = 0.003,
        [MetricNames.LearnSeconds] = 0.031,
        [MetricNames.EmaSeconds] = 0.0001,
        [MetricNames.StepSeconds] = 0.074,
    };

    [Fact]
    public void An_RLP_step_shows_gain_loss_norm_length_clipping_speed_phases_and_time_left() => Assert.Equal(
        "rlp 120/300 | info_gain 2.31 | loss -0.0123 | grad_norm 0.41 | thought 5.0 tok | clip 0.000 | 12.3k tok/s"
        + " | data 1 ms rollout 38 ms reward 3 ms learn 31 ms | 0:21 left",
        StepLine.Format("rlp", 120, 300, RlpStep, TimeSpan.FromSeconds(21.4)));

    [Fact]
    public void An_NTP_step_shows_what_it_has() => Assert.Equal(
        "pretrain 5/2000 | loss 1.2346 | 950 tok/s",
        StepLine.Format("pretrain", 5, 2000,
            new Dictionary<string, double> { [MetricNames.Loss] = 1.23456, [MetricNames.TokensPerSecond] = 950 }, null));

    [Fact]
    public void An_evaluation_adds_its_accuracies() => Assert.Equal(
        "rlp 50/300 | think 0.940 | no-think 0.103 | 1:02:03 left",
        StepLine.Format("rlp", 50, 300,
            new Dictionary<string, double> { [MetricNames.EvalThinkAccuracy] = 0.94, [MetricNames.EvalNothinkAccuracy] = 0.103 },
            new TimeSpan(1, 2, 3)));

    [Fact]
    public void Broken_numbers_are_shown_not_hidden() => Assert.Equal(
        "rlp 1/2 | loss nan | grad_norm inf",
        StepLine.Format("rlp", 1, 2,
            new Dictionary<string, double> { [MetricNames.Loss] = double.NaN, [MetricNames.GradNorm] = double.PositiveInfinity }, null));

    [Fact]
    public void A_slow_teacher_update_or_journal_shows_up() => Assert.EndsWith(
        "learn 31 ms ema 2 ms journal 12.5 s",
        StepLine.Format("rlp", 1, 2,
            new Dictionary<string, double>(RlpStep) { [MetricNames.EmaSeconds] = 0.002, [MetricNames.JournalSeconds] = 12.54 }, null));

    [Theory]
    [InlineData(0, "0")]
    [InlineData(999.4, "999")]
    [InlineData(999.6, "1.00k")]
    [InlineData(1200, "1.20k")]
    [InlineData(12_345, "12.3k")]
    [InlineData(99_960, "100k")]
    [InlineData(999_600, "1.00M")]
    [InlineData(-1_234_000, "-1.23M")]
    [InlineData(7.5e9, "7.50G")]
    [InlineData(double.NaN, "nan")]
    public void Compact_numbers_have_three_digits_and_never_a_thousand_of_a_unit(double value, string text) =>
        Assert.Equal(text, HumanNumber.Compact(value));

    [Theory]
    [InlineData(1.23e13, "1.2e13")]
    [InlineData(9.96e6, "1.0e7")]
    [InlineData(0, "0")]
    public void Scientific_numbers_are_written_as_in_logs(double value, string text) => Assert.Equal(text, HumanNumber.Scientific(value));

    [Theory]
    [InlineData(0.4, "0:00")]
    [InlineData(59.7, "1:00")]
    [InlineData(3599.6, "1:00:00")]
    [InlineData(-5, "0:00")]
    public void Clocks_carry_over_and_never_run_below_zero(double seconds, string text) =>
        Assert.Equal(text, HumanNumber.Clock(TimeSpan.FromSeconds(seconds)));
}
