using System.Text.Json;

namespace Rlp.Evaluation.Tests;

public sealed class RunReportTests : IDisposable
{
    private readonly DirectoryInfo folder = Directory.CreateTempSubdirectory("rlp-report-");

    private string Path => System.IO.Path.Combine(folder.FullName, "report.json");

    [Fact]
    public void The_file_has_exactly_the_promised_keys()
    {
        SampleRun.Report.Write(Path);
        using var json = JsonDocument.Parse(File.ReadAllText(Path));
        var root = json.RootElement;
        Assert.Equal(["run_id", "recipe", "seed", "stages"], root.EnumerateObject().Select(p => p.Name));
        Assert.Equal("arithmetic-7", root.GetProperty("run_id").GetString());
        Assert.Equal(7, root.GetProperty("seed").GetInt64());
        var stages = root.GetProperty("stages");
        Assert.Equal(["base", "cpt", "cpt_thoughts", "rlp"], stages.EnumerateObject().Select(p => p.Name));
        foreach (var stage in stages.EnumerateObject())
            Assert.Equal(
                ["think_accuracy", "think_accuracy_stderr", "nothink_accuracy", "nothink_accuracy_stderr", "info_gain",
                    "thought_length", "input_tokens", "flops", "seconds"],
                stage.Value.EnumerateObject().Select(p => p.Name));
        Assert.Equal(.983, stages.GetProperty("rlp").GetProperty("think_accuracy").GetDouble());
        Assert.Equal(.003, stages.GetProperty("rlp").GetProperty("think_accuracy_stderr").GetDouble());
        Assert.Equal(115_200, stages.GetProperty("rlp").GetProperty("input_tokens").GetInt64());
        Assert.Equal(1.23e13, stages.GetProperty("rlp").GetProperty("flops").GetDouble());
    }

    [Fact]
    public void What_was_written_is_read_and_what_could_not_be_measured_is_null_in_between()
    {
        var stages = SampleRun.Report.Stages;
        var report = SampleRun.Report with { Stages = [stages[0] with { InfoGain = double.NaN }, .. stages.Skip(1)] };
        report.Write(Path);
        var read = RunReport.Read(Path);
        Assert.Equal(report.Stages, read.Stages);
        Assert.Equal((report.RunId, report.Recipe, report.Seed), (read.RunId, read.Recipe, read.Seed));
        Assert.Contains("\"info_gain\": null", File.ReadAllText(Path));
    }

    [Fact]
    public void Writing_again_replaces_the_file_and_leaves_no_other()
    {
        SampleRun.Report.Write(Path);
        (SampleRun.Report with { Seed = 8 }).Write(Path);
        Assert.Equal(8, RunReport.Read(Path).Seed);
        Assert.Equal([Path], Directory.GetFiles(folder.FullName));
    }

    [Theory]
    [InlineData("not json")]
    [InlineData("{}")]
    [InlineData("""{"run_id":"a","recipe":"b","seed":1,"stages":{"rlp":{}}}""")]
    public void Another_file_is_refused_by_name(string content)
    {
        File.WriteAllText(Path, content);
        Assert.Contains(Path, Assert.Throws<InvalidDataException>(() => RunReport.Read(Path)).Message);
    }

    public void Dispose() => folder.Delete(recursive: true);
}
