using System.Text;
using System.Text.Json;
using Rlp.Training.Metrics;

namespace Rlp.Training.Tests.Metrics;

public sealed class MetricsFileTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    private string File => folder["run/metrics.jsonl"];

    [Fact]
    public void A_step_becomes_one_JSON_line_with_stage_step_and_every_metric_by_its_name()
    {
        using (var file = MetricsFile.Open(File))
            Assert.True(file.Append(Line("rlp", 7, (MetricNames.Loss, -0.0125), (MetricNames.InfoGain, 2.5))));

        using var json = JsonDocument.Parse(Assert.Single(Lines()));
        Assert.Equal("rlp", json.RootElement.GetProperty("stage").GetString());
        Assert.Equal(7, json.RootElement.GetProperty("step").GetInt64());
        Assert.Equal(-0.0125, json.RootElement.GetProperty("loss").GetDouble());
        Assert.Equal(2.5, json.RootElement.GetProperty("rlp/info_gain").GetDouble());
        Assert.Equal(4, json.RootElement.EnumerateObject().Count());
    }

    [Theory]
    [InlineData(double.NaN)]
    [InlineData(double.PositiveInfinity)]
    [InlineData(double.NegativeInfinity)]
    public void A_value_that_is_not_finite_is_null_in_the_file_and_NaN_when_read(double value)
    {
        using (var file = MetricsFile.Open(File)) file.Append(Line("cpt", 1, (MetricNames.Loss, value)));
        Assert.Equal("""{"stage":"cpt","step":1,"loss":null}""", Assert.Single(Lines()));
        Assert.Equal(new MetricPoint("cpt", 1, "loss", double.NaN), Assert.Single(MetricsFile.Read(File)));
    }

    [Fact]
    public void Doubles_come_back_with_all_their_bits()
    {
        var random = new Random(3);
        var values = Enumerable.Range(0, 200).Select(_ => (random.NextDouble() - 0.5) * Math.Pow(10, random.Next(-300, 300))).ToArray();
        using (var file = MetricsFile.Open(File))
            foreach (var (value, step) in values.Select((v, i) => (v, i))) file.Append(Line("rlp", step, ("loss", value)));
        Assert.Equal(values, MetricsFile.Read(File).Select(p => p.Value));
    }

    [Fact]
    public void A_line_can_be_read_by_others_as_soon_as_it_is_appended()
    {
        using var file = MetricsFile.Open(File);
        file.Append(Line("rlp", 1, ("loss", 1)));
        Assert.Single(MetricsFile.Read(File));
        file.Append(Line("rlp", 2, ("loss", 2)));
        Assert.Equal(2, MetricsFile.Read(File).Count);
    }

    [Fact]
    public void A_step_is_written_once_in_a_process_and_across_processes()
    {
        using (var file = MetricsFile.Open(File))
        {
            Assert.True(file.Append(Line("rlp", 1, ("loss", 1))));
            Assert.False(file.Append(Line("rlp", 1, ("loss", 9))));
        }
        using (var file = MetricsFile.Open(File))
        {
            Assert.True(file.Contains("rlp", 1));
            Assert.False(file.Contains("cpt", 1));
            Assert.False(file.Append(Line("rlp", 1, ("loss", 9))));
            Assert.True(file.Append(Line("cpt", 1, ("loss", 2))));
        }
        Assert.Equal([1.0, 2.0], MetricsFile.Read(File).Select(p => p.Value));
    }

    [Fact]
    public void Wherever_a_crash_cuts_the_last_line_the_file_opens_without_it_and_goes_on()
    {
        using (var file = MetricsFile.Open(File))
        {
            file.Append(Line("rlp", 1, ("loss", 1)));
            file.Append(Line("rlp", 2, ("loss", 2)));
        }
        var whole = System.IO.File.ReadAllBytes(File);
        var first = Array.IndexOf(whole, (byte)'\n') + 1;
        for (var cut = first + 1; cut < whole.Length; cut++)
        {
            System.IO.File.WriteAllBytes(File, whole[..cut]);
            Assert.Single(MetricsFile.Read(File));
            using (var file = MetricsFile.Open(File))
            {
                Assert.False(file.Contains("rlp", 2));
                file.Append(Line("rlp", 2, ("loss", 2)));
            }
            Assert.Equal(whole, System.IO.File.ReadAllBytes(File));
        }
    }

    [Fact]
    public void Nothing_of_a_long_unfinished_line_stays_behind_a_short_one()
    {
        Directory.CreateDirectory(Path.GetDirectoryName(File)!);
        var whole = Line("rlp", 1, ("loss", 1)).ToJson() + "\n";
        System.IO.File.WriteAllText(File, whole + "{\"stage\":\"rlp\",\"step\":2," + new string(' ', 500));
        MetricsFile.Open(File).Dispose();
        Assert.Equal(whole, System.IO.File.ReadAllText(File));
    }

    [Fact]
    public void A_last_line_of_zeros_as_a_lost_power_leaves_it_is_cut_off()
    {
        Directory.CreateDirectory(Path.GetDirectoryName(File)!);
        System.IO.File.WriteAllText(File, Line("rlp", 1, ("loss", 1)).ToJson() + "\n\0\0\0\0\n");
        using (var file = MetricsFile.Open(File)) file.Append(Line("rlp", 2, ("loss", 2)));
        Assert.Equal([1.0, 2.0], MetricsFile.Read(File).Select(p => p.Value));
    }

    [Theory]
    [InlineData("garbage")]
    [InlineData("[]")]
    [InlineData("""{"step":2,"loss":1}""")]
    [InlineData("""{"stage":"rlp","step":2,"loss":"high"}""")]
    [InlineData("""{"stage":"rlp","step":2.5}""")]
    public void A_bad_line_before_the_last_is_refused_with_file_and_line_and_the_file_is_left_alone(string bad)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(File)!);
        var content = Line("rlp", 1, ("loss", 1)).ToJson() + "\n" + bad + "\n" + Line("rlp", 3, ("loss", 3)).ToJson() + "\n";
        System.IO.File.WriteAllText(File, content);
        Assert.Contains($"{File}, line 2:", Assert.Throws<InvalidDataException>(() => MetricsFile.Open(File)).Message);
        Assert.Contains($"{File}, line 2:", Assert.Throws<InvalidDataException>(() => MetricsFile.Read(File)).Message);
        Assert.Equal(content, System.IO.File.ReadAllText(File));
    }

    [Fact]
    public void A_file_without_line_breaks_is_refused_before_it_fills_the_memory()
    {
        Directory.CreateDirectory(Path.GetDirectoryName(File)!);
        System.IO.File.WriteAllBytes(File, new byte[3 << 20]);
        Assert.Contains("line 1: longer than", Assert.Throws<InvalidDataException>(() => MetricsFile.Open(File)).Message);
    }

    [Fact]
    public void Lines_of_every_length_around_the_read_buffer_come_back()
    {
        using (var file = MetricsFile.Open(File))
            for (var step = 0; step < 40; step++)
                file.Append(new MetricLine("rlp", step, Enumerable.Range(0, 60 + step).ToDictionary(i => $"metric/{i}", i => (double)i)));
        Assert.True(new FileInfo(File).Length > 40_000);
        Assert.Equal(Enumerable.Range(0, 40).Sum(s => 60 + s), MetricsFile.Read(File).Count);
    }

    [Fact]
    public void Rewriting_replaces_all_lines_keeps_the_first_of_a_step_and_appending_goes_on()
    {
        using (var file = MetricsFile.Open(File))
        {
            file.Append(Line("rlp", 1, ("loss", 9)));
            file.Append(Line("rlp", 2, ("loss", 9)));
            file.Rewrite([Line("cpt", 1, ("loss", 1)), Line("rlp", 1, ("loss", 2)), Line("rlp", 1, ("loss", 9))]);
            Assert.False(file.Contains("rlp", 2));
            Assert.False(file.Append(Line("cpt", 1, ("loss", 9))));
            Assert.True(file.Append(Line("rlp", 2, ("loss", 3))));
        }
        Assert.Equal([1.0, 2.0, 3.0], MetricsFile.Read(File).Select(p => p.Value));
        Assert.Equal([File], Directory.GetFiles(Path.GetDirectoryName(File)!));
    }

    [Fact]
    public void A_rewriting_that_fails_half_way_leaves_the_old_file_and_no_other()
    {
        using (var file = MetricsFile.Open(File))
        {
            file.Append(Line("rlp", 1, ("loss", 1)));
            Assert.Throws<InvalidOperationException>(() => file.Rewrite(Failing()));
            Assert.True(file.Append(Line("rlp", 2, ("loss", 2))));
        }
        Assert.Equal([1.0, 2.0], MetricsFile.Read(File).Select(p => p.Value));
        Assert.Equal([File], Directory.GetFiles(Path.GetDirectoryName(File)!));

        static IEnumerable<MetricLine> Failing()
        {
            yield return Line("rlp", 1, ("loss", 9));
            throw new InvalidOperationException("the journal broke");
        }
    }

    [Theory]
    [InlineData("stage")]
    [InlineData("step")]
    public void A_metric_that_would_hide_a_key_of_the_line_is_refused(string name)
    {
        using var file = MetricsFile.Open(File);
        Assert.Contains($"'{name}'", Assert.Throws<ArgumentException>(() => file.Append(Line("rlp", 1, (name, 1)))).Message);
        Assert.Empty(MetricsFile.Read(File));
    }

    public void Dispose() => folder.Dispose();

    private string[] Lines() => System.IO.File.ReadAllText(File, Encoding.UTF8).Split('\n', StringSplitOptions.RemoveEmptyEntries);

    private static MetricLine Line(string stage, long step, params (string Name, double Value)[] values) =>
        new(stage, step, values.ToDictionary(v => v.Name, v => v.Value));
}
