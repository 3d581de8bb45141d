using System.CommandLine;
using System.Diagnostics;
using Rlp.Benchmarks.Measuring;
using Rlp.Benchmarks.Report;

namespace Rlp.Benchmarks;

/// <summary>Figures that are measured together, a command of their own and a part of "all".</summary>
internal sealed record Section(string Name, string Description, Func<BenchmarkSettings, SectionReport> Measure)
{
    public Command Command() => Command(Name, Description, (settings, output) =>
    {
        var report = new BenchmarkReport(MachineFacts.Of(settings), settings.Quick, settings.Repeats, [Measure(settings)]);
        Console.WriteLine(report.Machine.Text());
        Print(report.Sections[0]);
        if (output is not null) report.Write(output);
        return 0;
    });

    /// <summary>All sections in turn, each in a process of its own: what one leaves in allocator and libtorch does not reach the next.</summary>
    public static Command All(IReadOnlyList<Section> sections) => Command(
        "all", $"Every section in turn: {string.Join(", ", sections.Select(s => s.Name))}.",
        (settings, output) => MeasureAll(sections, settings, output));

    private static int MeasureAll(IReadOnlyList<Section> sections, BenchmarkSettings settings, string? output)
    {
        var machine = MachineFacts.Of(settings);
        Console.WriteLine(machine.Text());
        Console.WriteLine($"medians of {settings.Repeats}, measured in turns; ratios are ours divided by the other's value");
        if (settings.Quick) Console.WriteLine("QUICK: a smoke test, no result");
        List<SectionReport> reports = [];
        List<string> failed = [];
        foreach (var section in sections)
        {
            var started = Stopwatch.GetTimestamp();
            if (section.MeasureInChild(settings) is { } report)
            {
                Print(report);
                reports.Add(report);
                // After every section, so that what is measured is kept whatever comes next.
                if (output is not null) new BenchmarkReport(machine, settings.Quick, settings.Repeats, reports).Write(output);
            }
            else
            {
                failed.Add(section.Name);
            }
            Console.WriteLine($"  [{section.Name}: {Stopwatch.GetElapsedTime(started).TotalSeconds:F0} s]");
        }
        if (failed.Count > 0) Console.WriteLine($"\nFAILED: {string.Join(", ", failed)}; the reason is above");
        return failed.Count == 0 ? 0 : 1;
    }

    private static Command Command(string name, string description, Func<BenchmarkSettings, string?, int> run)
    {
        var quick = new Option<bool>("--quick") { Description = "Small sizes: a smoke test, no result." };
        var threads = new Option<int>("--threads") { Description = "Threads of libtorch and of the peer." };
        threads.DefaultValueFactory = _ => Math.Min(2, Environment.ProcessorCount);
        var repeats = new Option<int?>("--repeats") { Description = "Measurements of which figures are the medians: 5, with --quick 1." };
        var output = new Option<string?>("--output") { Description = "JSON file for the figures; a README.md is written beside it." };
        var command = new Command(name, description) { quick, threads, repeats, output };
        command.SetAction(arguments =>
        {
            var small = arguments.GetValue(quick);
            var settings = new BenchmarkSettings(small, arguments.GetValue(threads), arguments.GetValue(repeats) ?? (small ? 1 : 5));
            return OwnThread.Run(settings.Threads, () => run(settings, arguments.GetValue(output)));
        });
        return command;
    }

    /// <summary>Null where it failed; it has said why on the error stream.</summary>
    private SectionReport? MeasureInChild(BenchmarkSettings settings)
    {
        var folder = Directory.CreateTempSubdirectory("rlp-bench-");
        try
        {
            var file = Path.Combine(folder.FullName, "section.json");
            List<string> arguments = [Name, "--threads", $"{settings.Threads}", "--repeats", $"{settings.Repeats}", "--output", file];
            if (settings.Quick) arguments.Add("--quick");
            using var process = Process.Start(new ProcessStartInfo(Environment.ProcessPath!, arguments) { RedirectStandardOutput = true })!;
            process.StandardOutput.ReadToEnd(); // printed from the file
            process.WaitForExit();
            return process.ExitCode == 0 ? BenchmarkReport.Read(file).Sections[0] : null;
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    private static void Print(SectionReport report)
    {
        Console.WriteLine();
        foreach (var table in report.Tables) Console.WriteLine(table.Text());
        foreach (var note in report.Notes) Console.WriteLine($"  {note}");
    }
}
