using System.CommandLine;
using Rlp.Benchmarks.Measuring;
using Rlp.Benchmarks.Report;

namespace Rlp.Benchmarks;

/// <summary>Figures that are measured together, a command of their own and a part of "all".</summary>
/// <param name="Measure">Runs on one thread from begin to end: libtorch's settings belong to the calling thread.</param>
internal sealed record Section(string Name, string Description, Func<BenchmarkSettings, SectionReport> Measure)
{
    public Command Command() => Command(Name, Description, [this]);

    /// <summary>All sections in turn.</summary>
    public static Command All(IReadOnlyList<Section> sections) =>
        Command("all", "Every section in turn: " + string.Join(", ", sections.Select(s => s.Name)) + ".", sections);

    private static Command Command(string name, string description, IReadOnlyList<Section> sections)
    {
        var quick = new Option<bool>("--quick") { Description = "One repeat at small sizes: a smoke test." };
        var threads = new Option<int>("--threads") { DefaultValueFactory = _ => Math.Min(2, Environment.ProcessorCount), Description = "Threads of libtorch and of the peer." };
        var output = new Option<string?>("--output") { Description = "JSON file for the figures; a README.md is written beside it." };
        var command = new Command(name, description) { quick, threads, output };
        command.SetAction(arguments => Run(sections, new BenchmarkSettings(arguments.GetValue(quick), arguments.GetValue(threads)), arguments.GetValue(output)));
        return command;
    }

    private static void Run(IReadOnlyList<Section> sections, BenchmarkSettings settings, string? output)
    {
        TorchThreads.Use(settings.Threads);
        var machine = MachineFacts.Of(settings);
        Console.WriteLine(machine.Text());
        Console.WriteLine($"medians of {settings.Repeats}, measured in turns; ratios are ours divided by the other's value{(settings.Quick ? "; QUICK: a smoke test, no result" : "")}");
        var reports = new List<SectionReport>();
        foreach (var section in sections)
        {
            Console.WriteLine();
            SectionReport? report = null;
            var seconds = InTurns.Seconds(() => report = section.Measure(settings));
            foreach (var table in report!.Tables) Console.WriteLine(table.Text());
            foreach (var note in report.Notes) Console.WriteLine($"  {note}");
            Console.WriteLine($"  [{section.Name}: {seconds:F0} s]");
            reports.Add(report);
            if (output is not null) new BenchmarkReport(machine, settings.Quick, reports).Write(output); // what is measured is kept whatever comes next
        }
    }
}
