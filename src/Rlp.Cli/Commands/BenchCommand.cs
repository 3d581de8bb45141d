using System.CommandLine;
using System.Text.Json;
using Rlp.Models;
using Rlp.Training;
using Rlp.Training.Measurement;

namespace Rlp.Cli.Commands;

/// <summary>rlp bench: how fast this machine works on a model.</summary>
internal static class BenchCommand
{
    private static readonly JsonSerializerOptions Json = new() { PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower };

    public static Command Create() => new(
        "bench",
        "Measures sampler and learner on a model's folder: medians of several repetitions after one to warm up.\n\n"
        + "Examples:\n"
        + "  rlp bench sampler --model models/fresh --prefix 128 --new 128 --groups 4 --group-size 16\n"
        + "  rlp bench learner --model models/fresh --batch 8 --length 256 --json")
    {
        BenchSamplerCommand.Create(), BenchLearnerCommand.Create(),
    };

    public static Option<string> Model() => new("--model")
    {
        Description = "Folder of the model (rlp model init writes one), or of a checkpoint.",
        Required = true,
    };

    public static Option<int> Threads() =>
        CommonOptions.Positive("--threads", "Threads of the numerical kernels. Default: as many as there are cores.", Environment.ProcessorCount);

    public static Option<int> Repeats() => CommonOptions.Positive("--repeats", "Timed repetitions; the median counts.", 5);

    /// <summary>A file; without a value the default one.</summary>
    public static Option<string?> Save() => new("--save")
    {
        Description = $"Keeps the rates for `rlp plan`, in FILE or where that looks for them: {MachineRates.DefaultFile}.",
        HelpName = "FILE",
        Arity = ArgumentArity.ZeroOrOne,
    };

    /// <summary>Where --save writes; null where it is not given.</summary>
    public static string? SaveFile(ParseResult arguments, Option<string?> save) =>
        arguments.GetResult(save) is null ? null : arguments.GetValue(save) ?? MachineRates.DefaultFile;

    /// <summary>The model's network with its weights in float32, for the time of the work.</summary>
    public static void OnModel(string path, bool trainable, int threads, Action<IDecoder> work)
    {
        using var folder = ModelFolder.Open(path);
        NativeLibrary.Load();
        IntraOpThreads.Use(threads);
        using var parameters = folder.Files.Load(folder.Layout, trainable);
        using var decoder = Decoder.Create(folder.Config, parameters);
        work(decoder);
    }

    /// <summary>One JSON object, or one line for each figure.</summary>
    public static void Print(bool json, object figures, IReadOnlyList<(string Name, string Value)> lines)
    {
        if (json)
        {
            Console.WriteLine(JsonSerializer.Serialize(figures, Json));
            return;
        }
        var width = lines.Max(l => l.Name.Length);
        foreach (var (name, value) in lines) Console.WriteLine($"{name.PadRight(width)}  {value}");
    }
}
