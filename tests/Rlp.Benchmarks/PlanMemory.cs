using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using Rlp.Benchmarks.Measuring;
using Rlp.Cli.Configuration;
using Rlp.Models;
using Rlp.Models.Weights;
using Rlp.Training.Planning;

namespace Rlp.Benchmarks;

/// <summary>
/// Whether the memory model is right: trains by a few recipes, each in a process of its own, and compares the most that the process ever had
/// resident (VmHWM) with what `rlp plan` says.
/// </summary>
internal static class PlanMemory
{
    private const string ChildName = "plan-memory-child", PeakLine = "peak bytes: ";

    private const int DocumentBytes = 2048; // longer than any context here: every sequence has the length that the plan counts with

    private static readonly Qwen3Config SixtyMillion = new()
    {
        VocabularySize = 8192,
        HiddenSize = 640,
        IntermediateSize = 1920,
        Layers = 12,
        AttentionHeads = 10,
        KeyValueHeads = 5,
        HeadDim = 64,
    };

    private static readonly (string Name, Qwen3Config Model, string Stage)[] Cases =
    [
        ("10M ntp 8x256", BenchmarkModel.TenMillion, "stages = [pretrain]\npretrain { steps = 2, batch-size = 8, context-length = 256, data { text = 1 } }"),
        ("10M rlp 4x16", BenchmarkModel.TenMillion, "stages = [rlp]\nrlp { from = \"\", steps = 2, batch-size = 4, group-size = 16, context-length = 256, max-thought-tokens = 64, "
            + "micro-batch-tokens = 4096, positions.strategy = last, data { text = 1 } }"),
        ("64M ntp 4x256", SixtyMillion, "stages = [pretrain]\npretrain { steps = 2, batch-size = 4, context-length = 256, data { text = 1 } }"),
    ];

    private sealed record Row(string Case, long Parameters, string PeakPhase, long PredictedBytes, long MeasuredBytes)
    {
        public double Ratio => PredictedBytes / (double)MeasuredBytes;
    }

    public static IEnumerable<Command> Commands()
    {
        var json = new Option<string?>("--json") { Description = "File for the rows as JSON.", HelpName = "FILE" };
        var command = new Command("plan-memory", "Predicted against measured peak memory of a few recipes, each trained in a process of its own.") { json };
        command.SetAction(async (arguments, _) =>
        {
            Console.WriteLine($"{"case",-16}{"parameters",12}{"peak in",10}{"predicted",12}{"measured",12}{"ratio",8}");
            var rows = new List<Row>();
            foreach (var (name, model, stage) in Cases)
            {
                var row = await MeasureAsync(name, model, stage);
                rows.Add(row);
                Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
                    $"{name,-16}{row.Parameters,12:N0}{row.PeakPhase,10}{ByteSize.Text(row.PredictedBytes),12}{ByteSize.Text(row.MeasuredBytes),12}{row.Ratio,8:F3}"));
            }
            if (arguments.GetValue(json) is { } file) await File.WriteAllTextAsync(file, JsonSerializer.Serialize(rows, BenchmarkJson.Options));
        });
        var recipe = new Argument<string>("RECIPE");
        var child = new Command(ChildName, "One case, in this process.") { recipe };
        child.Hidden = true;
        child.SetAction(async (arguments, _) =>
        {
            var path = arguments.GetValue(recipe)!;
            var code = await Rlp.Cli.Program.Main(["train", path, "--runs", Path.Combine(Path.GetDirectoryName(path)!, "runs")]);
            Console.WriteLine($"{PeakLine}{ResidentMemory.Peak()}");
            return code;
        });
        return [command, child];
    }

    private static async Task<Row> MeasureAsync(string name, Qwen3Config model, string stage)
    {
        var folder = Directory.CreateTempSubdirectory("rlp-bench-");
        try
        {
            var recipe = Path.Combine(folder.FullName, "recipe.hocon");
            HuggingFaceFolder.Initialize(
                Path.Combine(folder.FullName, "model"), model.ToJson(), Decoder.Layout(model), seed: 1, model.Initialization, new ExportSettings());
            var random = new Random(1);
            await File.WriteAllLinesAsync(Path.Combine(folder.FullName, "text.jsonl"), Enumerable.Range(0, 100).Select(_ =>
                JsonSerializer.Serialize(new { text = string.Concat(Enumerable.Range(0, DocumentBytes).Select(_ => (char)random.Next('a', 'z'))) })));
            await File.WriteAllTextAsync(recipe, $"model.path = model\ntokenizer.kind = bytes\ncorpora.text {{ kind = jsonl, path = text.jsonl }}\n"
                + $"pretrain.data {{ text = 1 }}\ncpt.data {{ text = 1 }}\ncpt-thoughts.data {{ text = 1 }}\nrlp.data {{ text = 1 }}\n{stage}\n");
            var memory = StageMemory.Of(RecipeFile.Load(recipe, []).Recipe);
            return new Row(name, Decoder.Layout(model).ParameterCount, memory.PeakPhase.Name, memory.PeakBytes, await TrainAsync(recipe));
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    /// <summary>VmHWM of a process that trains by the recipe, in bytes.</summary>
    private static async Task<long> TrainAsync(string recipe)
    {
        var start = new ProcessStartInfo(Environment.ProcessPath!, [ChildName, recipe]) { RedirectStandardOutput = true };
        using var child = Process.Start(start) ?? throw new InvalidOperationException("no process was started");
        var output = await child.StandardOutput.ReadToEndAsync();
        await child.WaitForExitAsync();
        if (child.ExitCode != 0) throw new InvalidOperationException($"training ended with {child.ExitCode}:\n{output}");
        return long.Parse(output.Split('\n').Single(l => l.StartsWith(PeakLine, StringComparison.Ordinal))[PeakLine.Length..], CultureInfo.InvariantCulture);
    }
}
