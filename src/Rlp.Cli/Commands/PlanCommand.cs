using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using Rlp.Cli.Configuration;
using Rlp.Consoles;
using Rlp.Models.Weights;
using Rlp.Training.Measurement;
using Rlp.Training.Metrics;
using Rlp.Training.Planning;
using Rlp.Training.Recipes;

namespace Rlp.Cli.Commands;

/// <summary>rlp plan RECIPE: what a recipe needs, and whether it fits, before anything runs.</summary>
internal static class PlanCommand
{
    private static readonly JsonSerializerOptions Json = new() { PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower, WriteIndented = true };

    public static Command Create()
    {
        var recipe = new Argument<string>("RECIPE") { Description = "The recipe file (HOCON)." };
        var nodes = CommonOptions.Positive("--nodes", "Nodes with that device; they share the lanes of an RLP stage, one of them learns.", 1);
        var device = new Option<string?>("--device")
        {
            Description = $"A GPU by its data sheet: {string.Join(", ", KnownDevice.All.Select(d => d.Name))}. Default: this machine, as `rlp bench --save` "
                + "measured it; without that it is measured briefly.",
            HelpName = "NAME",
        };
        var rates = new Option<string>("--rates")
        {
            Description = "File of this machine's rates.",
            HelpName = "FILE",
            DefaultValueFactory = _ => MachineRates.DefaultFile,
        };
        var set = new Option<string[]>("--set") { Description = "Overrides one key: --set rlp.group-size=16. May be repeated." };
        var json = CommonOptions.Json("One JSON object: fits, stages with their memory by part in bytes, FLOPs, tokens and seconds per step, assumptions.");
        var command = new Command("plan", "Memory by part, FLOPs, tokens and time of a recipe's stages, and whether it fits.\n\n"
            + "The lengths of documents and prefixes are those of each stage's first step; thoughts count at their limit. Memory is that of sequences\n"
            + "as long as the recipe allows. Where a device has too little of it, the exit code is 2 and the message names the part and what to set.\n\n"
            + "Examples:\n"
            + "  rlp plan hocon/recipes/arithmetic.hocon\n"
            + "  rlp plan hocon/recipes/qwen3-1.7b.hocon --device H100 --nodes 4 --set rlp.lanes=128\n"
            + "  rlp plan hocon/recipes/qwen3-1.7b.hocon --device A100-80GB --json") { recipe, nodes, device, rates, set, json };
        command.SetAction((arguments, _) => FailureReport.Guard(() =>
        {
            var known = Known(arguments.GetValue(device));
            var loaded = RecipeFile.Load(arguments.GetValue(recipe)!, arguments.GetValue(set) ?? []);
            var on = known?.Rates(loaded.Recipe.Model.Dtype) ?? ThisMachine(loaded, arguments.GetValue(rates)!);
            var plan = RecipePlan.Of(loaded.Recipe, on, arguments.GetValue(nodes));
            if (arguments.GetValue(json)) PrintJson(loaded.Recipe, plan);
            else Print(loaded.Recipe, plan);
            if (plan.TooLarge is { } tooLarge) throw TooLarge(arguments.GetValue(recipe)!, plan, tooLarge);
            return Task.FromResult(ExitCodes.Done);
        }));
        return command;
    }

    private static KnownDevice? Known(string? name)
    {
        if (name is null) return null;
        if (KnownDevice.All.FirstOrDefault(d => d.Name.Equals(name, StringComparison.OrdinalIgnoreCase)) is { } known) return known;
        var names = KnownDevice.All.Select(d => d.Name).ToList();
        throw new ConfigurationException(
        [
            new ConfigurationProblem("--device", null, "",
                $"unknown device '{name}'; expected one of {string.Join(", ", names)}{NearestName.Question(name.ToUpperInvariant(), names)}"),
        ]);
    }

    private static DeviceRates ThisMachine(LoadedRecipe loaded, string file)
    {
        var options = NodeSettingsMapping.ToOptions(loaded.Node with { Device = NodeDevice.Cpu }, runs: null);
        var saved = MachineRates.Read(file, options.Threads);
        var origin = $"measured, {file}";
        if (saved is not { TrainingUtilisation: not null, DecodingUtilisation: not null })
        {
            NativeLibrary.Load();
            var network = RecipeNetwork.Config(loaded.Recipe, RecipeNetwork.Tokenizer(loaded.Recipe));
            saved = BriefMeasurement.Of(network, options.Threads);
            origin = "measured briefly just now; `rlp bench sampler --save` and `rlp bench learner --save` keep better ones";
        }
        return new DeviceRates(
            $"this machine, {options.Threads} threads", options.MemoryBytes, saved.GemmFlops, saved.ReadBytes,
            saved.TrainingUtilisation!.Value, saved.DecodingUtilisation!.Value, origin)
        { OnCpu = true };
    }

    private static IReadOnlyList<string> Assumptions(RecipePlan plan) =>
    [
        $"rates: {plan.Rates.Origin}",
        "documents and prefixes are as long as in a stage's first step, thoughts as long as the recipe allows",
        "checkpoints, evaluations, reading data and sending weights between nodes take no time",
        .. plan.Nodes > 1 ? ["lanes are shared evenly among the nodes, one of which learns while the others wait"] : Array.Empty<string>(),
    ];

    private static void PrintJson(Recipe recipe, RecipePlan plan) => Console.WriteLine(JsonSerializer.Serialize(new
    {
        Recipe = recipe.Name,
        plan.Parameters,
        plan.Nodes,
        Device = plan.Rates,
        Fits = plan.TooLarge is null,
        plan.Seconds,
        Stages = plan.Stages.Select(s => new
        {
            Stage = s.Id,
            s.Steps,
            s.Step.InputTokens,
            s.Step.ThoughtTokens,
            s.Step.MeanLength,
            s.Step.Flops,
            SecondsPerStep = s.Step.Seconds,
            s.Step.RolloutSeconds,
            s.Step.EvidenceSeconds,
            s.Step.LearningSeconds,
            s.Seconds,
            Memory = s.Memory.Select(m => new
            {
                m.Node,
                m.Memory.PeakBytes,
                PeakPhase = m.Memory.PeakPhase.Name,
                Parts = m.Memory.Peak.ToDictionary(p => p.Name, p => p.Bytes),
                Phases = m.Memory.Phases.ToDictionary(p => p.Name, p => p.Bytes),
            }),
        }),
        Assumptions = Assumptions(plan),
    }, Json));

    private static void Print(Recipe recipe, RecipePlan plan)
    {
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"recipe   {recipe.Name}, {plan.Parameters:N0} parameters in {(recipe.Model.Dtype == WeightType.Bfloat16 ? "bf16" : "f32")}"));
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"device   {(plan.Nodes > 1 ? $"{plan.Nodes} x " : "")}{plan.Rates.Device}, {ByteSize.Text(plan.Rates.MemoryBytes)}, {plan.Rates.Flops / 1e12:0.##} TFLOP/s, "
            + $"{plan.Rates.ReadBytes / 1e9:0.#} GB/s; reached of that: training {plan.Rates.TrainingUtilisation:P0}, decoding {plan.Rates.DecodingUtilisation:P0}"));
        Console.WriteLine();
        Table(
            ["stage", "steps", "input tok", "thought tok", "FLOPs", "s/step", "rollout", "evidence", "learning", "stage takes"],
            plan.Stages.Select(s => new[]
            {
                s.Id, Count(s.Steps), Count(s.Step.InputTokens), s.Step.ThoughtTokens > 0 ? Count(s.Step.ThoughtTokens) : "-",
                HumanNumber.Scientific(s.Step.Flops), Seconds(s.Step.Seconds), Seconds(s.Step.RolloutSeconds),
                Seconds(s.Step.EvidenceSeconds), Seconds(s.Step.LearningSeconds), Duration(s.Seconds),
            }));
        Console.WriteLine($"all stages take {Duration(plan.Seconds)}; tokens and FLOPs are those of one step");
        foreach (var node in plan.Stages.SelectMany(s => s.Memory))
        {
            Console.WriteLine();
            Console.WriteLine($"memory   {node.Stage}, {node.Node}: {ByteSize.Text(node.Memory.PeakBytes)} at the peak, {node.Memory.PeakPhase.Name}"
                + (node.Memory.PeakBytes > plan.Rates.MemoryBytes ? "  DOES NOT FIT" : ""));
            foreach (var part in node.Memory.Peak.Where(p => p.Bytes > 0)) Console.WriteLine($"  {part.Name,-18} {ByteSize.Text(part.Bytes),10}");
        }
        Console.WriteLine();
        foreach (var assumption in Assumptions(plan)) Console.WriteLine($"assumed  {assumption}");

        static string Count(long value) => value.ToString("N0", CultureInfo.InvariantCulture);
        static string Seconds(double value) => value == 0 ? "-" : value.ToString(value < 10 ? "0.000" : "0.0", CultureInfo.InvariantCulture);
        static string Duration(double seconds) => HumanNumber.Clock(TimeSpan.FromSeconds(seconds));
    }

    private static ConfigurationException TooLarge(string path, RecipePlan plan, NodeMemory node)
    {
        var largest = node.Memory.Peak.MaxBy(p => p.Bytes)!;
        var enough = node.Memory.PeakBytes - largest.Bytes <= plan.Rates.MemoryBytes;
        return new ConfigurationException(
        [
            new ConfigurationProblem(path, null, "",
                $"stage '{node.Stage}' needs {ByteSize.Text(node.Memory.PeakBytes)} on a {node.Node}, {plan.Rates.Device} has {ByteSize.Text(plan.Rates.MemoryBytes)}; "
                + $"the largest part is '{largest.Name}' with {ByteSize.Text(largest.Bytes)}: set {largest.Remedy}{(enough ? "" : ", which alone is not enough")}"),
        ]);
    }

    private static void Table(string[] headers, IEnumerable<string[]> rows)
    {
        string[][] all = [headers, .. rows];
        var widths = Enumerable.Range(0, headers.Length).Select(c => all.Max(r => r[c].Length)).ToArray();
        foreach (var row in all) Console.WriteLine(string.Join("  ", row.Select((cell, c) => c == 0 ? cell.PadRight(widths[c]) : cell.PadLeft(widths[c]))).TrimEnd());
    }
}
