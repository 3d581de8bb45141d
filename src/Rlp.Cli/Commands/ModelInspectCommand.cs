using System.CommandLine;
using System.Text.Encodings.Web;
using System.Text.Json;
using Rlp.Models;
using Rlp.Models.Tokenizers;
using Rlp.Models.Weights;
using TorchSharp;

namespace Rlp.Cli.Commands;

/// <summary>rlp model inspect: what a model's folder holds and what it takes to use it; loads no weights.</summary>
internal static class ModelInspectCommand
{
    private static readonly JsonSerializerOptions Json = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        WriteIndented = true,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };

    public static Command Create()
    {
        var folder = new Argument<string>("DIR") { Description = "Folder of the model, or of a checkpoint." };
        var batch = CommonOptions.Positive("--batch", "Sequences at once, for the memory.", 1);
        var length = CommonOptions.Positive("--length", "Tokens of each sequence, for the memory.", 1024);
        var dtype = ModelCommand.Dtype("Type to compute in, for the memory. Default: f32.");
        var begin = new Option<string>("--begin") { Description = "Text of the token that opens a thought.", DefaultValueFactory = _ => "<think>" };
        var end = new Option<string>("--end") { Description = "Text of the token that closes it.", DefaultValueFactory = _ => "</think>" };
        var json = CommonOptions.Json("One JSON object.");
        var command = new Command("inspect", "Architecture, parameters, files, vocabulary and the memory that a model takes.\n\n"
            + "Memory is that of weights, cache, gradients, optimizer and teacher (EMA, always f32); activations come on top.\n"
            + "Weights that are damaged or do not fit the configuration are listed, and the exit code is 3.\n\n"
            + "Examples:\n"
            + "  rlp model inspect models/Qwen3-1.7B\n"
            + "  rlp model inspect models/Qwen3-1.7B --batch 16 --length 4096 --dtype bf16 --json") { folder, batch, length, dtype, begin, end, json };
        command.SetAction((arguments, _) => FailureReport.Guard(() =>
        {
            using var model = ModelFolder.Open(arguments.GetValue(folder)!);
            var inspection = model.Files.Inspect(model.Layout);
            var parts = ModelParts.Of(model.Layout);
            var memory = ModelMemory.Of(
                model.Config, model.Layout, arguments.GetValue(batch), arguments.GetValue(length), arguments.GetValue(dtype) ?? torch.ScalarType.Float32);
            var vocabulary = Vocabulary(model, arguments.GetValue(begin)!, arguments.GetValue(end)!);
            if (arguments.GetValue(json))
            {
                Console.WriteLine(JsonSerializer.Serialize(new
                {
                    inspection.Path,
                    model.Config.Architecture,
                    model.Config.ModelType,
                    Parameters = parts,
                    TiedHead = model.Config.TieWordEmbeddings,
                    Dtypes = inspection.ParametersByDtype,
                    Files = inspection.Files.Select(f => new { f.Name, f.Bytes }),
                    Documents = inspection.CarriedFiles,
                    Vocabulary = vocabulary,
                    Memory = memory,
                    inspection.Problems,
                }, Json));
            }
            else
            {
                Print(model, inspection, parts, memory, vocabulary);
            }
            return Task.FromResult(inspection.Problems.Count == 0 ? ExitCodes.Done : ExitCodes.BadData);
        }));
        return command;
    }

    private sealed record Marker(string Text, int Id);

    /// <param name="Problem">Why there is no usable tokenizer; null where there is one.</param>
    private sealed record VocabularySizes(int Model, int? Tokenizer, string? TokenizerFile, IReadOnlyList<Marker> Markers, string? Problem);

    private static VocabularySizes Vocabulary(ModelFolder model, string begin, string end)
    {
        TokenizerFolder? plain = null;
        try
        {
            plain = TokenizerFolder.Open(model.Files.Path);
            var marked = TokenizerFolder.Open(model.Files.Path, begin, end).Tokenizer;
            return Sizes([new Marker(begin, marked.BeginThought), new Marker(end, marked.EndThought)], null);
        }
        catch (ModelFormatException e)
        {
            return Sizes([], e.Message);
        }

        VocabularySizes Sizes(IReadOnlyList<Marker> markers, string? problem) =>
            new(model.Config.VocabularySize, plain?.Tokenizer.VocabularySize, Path.GetFileName(plain?.File), markers, problem);
    }

    private static void Print(ModelFolder model, ModelInspection inspection, ModelParts parts, ModelMemory memory, VocabularySizes vocabulary)
    {
        Console.WriteLine($"architecture  {model.Config.Architecture}, {model.Config.Layers} layers, hidden size {model.Config.HiddenSize}");
        Console.WriteLine($"parameters    {parts.Total:N0}");
        Row("embeddings", parts.Embeddings);
        Row("attention", parts.Attention);
        Row("MLP", parts.Mlp);
        Row("Mamba", parts.Mamba);
        Row("norms", parts.Norms);
        if (model.Config.TieWordEmbeddings) Console.WriteLine($"  {"head",-11} the embeddings");
        else Row("head", parts.Head);
        Console.WriteLine($"on disk       {string.Join(", ", inspection.ParametersByDtype.Select(d => $"{d.Key} {d.Value:N0}"))}");
        foreach (var (name, bytes) in inspection.Files) Console.WriteLine($"  {name}  {ByteSize.Text(bytes)}");
        if (inspection.CarriedFiles.Count > 0) Console.WriteLine($"beside them   {string.Join(", ", inspection.CarriedFiles)}");
        Console.WriteLine($"vocabulary    model {vocabulary.Model:N0}, tokenizer {(vocabulary.Tokenizer is { } size ? $"{size:N0} ({vocabulary.TokenizerFile})" : "none")}");
        if (vocabulary.Markers.Count > 0) Console.WriteLine($"markers       {string.Join(", ", vocabulary.Markers.Select(m => $"{m.Text} = {m.Id}"))}");
        if (vocabulary.Problem is not null) Console.WriteLine($"  {vocabulary.Problem}");
        Console.WriteLine($"memory        {memory.Batch} x {memory.Length} tokens in {memory.Dtype}, activations not counted");
        Size("to sample", memory.Sample, $"weights {ByteSize.Text(memory.Weights)}, cache {ByteSize.Text(memory.Cache)}");
        Size("to train", memory.Train,
            $"weights {ByteSize.Text(memory.Weights + memory.Master)}, gradients {ByteSize.Text(memory.Gradients)}, "
            + $"AdamW {ByteSize.Text(memory.Moments)}, EMA {ByteSize.Text(memory.Teacher)}");
        foreach (var problem in inspection.Problems) Console.WriteLine($"PROBLEM       {problem}");

        static void Row(string name, long count)
        {
            if (count > 0) Console.WriteLine($"  {name,-11} {count,18:N0}");
        }

        static void Size(string name, long bytes, string of) => Console.WriteLine($"  {name,-11} {ByteSize.Text(bytes)} ({bytes:N0} bytes): {of}");
    }
}
