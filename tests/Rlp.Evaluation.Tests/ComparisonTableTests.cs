namespace Rlp.Evaluation.Tests;

public sealed class ComparisonTableTests
{
    [Fact]
    public void A_row_shows_accuracies_with_errors_gain_length_and_cost() => Assert.Equal(
        ["RLP", "0.983 ± 0.003", "0.108 ± 0.011", "2.71", "5.0", "115k", "1.2e13", "25.9"],
        ComparisonTable.Rows(SampleRun.Report)[3]);

    [Fact]
    public void The_stages_have_the_titles_that_people_read() =>
        Assert.Equal(["BASE", "CPT", "CPT + thoughts", "RLP"], ComparisonTable.Rows(SampleRun.Report).Select(r => r[0]));

    [Fact]
    public void The_text_is_aligned_and_fits_a_terminal()
    {
        var lines = ComparisonTable.Text(SampleRun.Report).Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal(6, lines.Length);
        Assert.Single(lines.Select(l => l.Length).Distinct());
        Assert.InRange(lines[0].Length, 60, 120);
        Assert.All(lines, l => Assert.DoesNotContain('\e', l));
    }

    [Fact]
    public void Extreme_values_still_fit_120_columns()
    {
        var stage = SampleRun.Report.Stages[3] with
        {
            Id = "a_stage_of_20_letter",
            InfoGain = -123.45,
            ThoughtLength = 131_072,
            InputTokens = 1e13,
            Seconds = 1e6,
        };
        Assert.All(ComparisonTable.Text(SampleRun.Report with { Stages = [stage] }).Split('\n'), l => Assert.InRange(l.Length, 0, 120));
    }

    [Fact]
    public void What_was_not_measured_is_a_dash_and_an_accuracy_of_one_problem_has_no_error()
    {
        var nan = double.NaN;
        var stage = SampleRun.Report.Stages[3] with { InfoGain = nan, NothinkAccuracy = nan, ThinkAccuracyStandardError = nan };
        var row = Assert.Single(ComparisonTable.Rows(SampleRun.Report with { Stages = [stage] }));
        Assert.Equal(["0.983", "-", "-"], row[1..4]);
    }
}
