using System.CommandLine;
using System.Diagnostics;
using System.Text.Json;
using Rlp.Benchmarks.Measuring;
using Rlp.Models;
using Rlp.Training;
using Rlp.Training.Engines;

namespace Rlp.Benchmarks;

/// <summary>One size of one RLP step.</summary>
/// <param name="Model">A config.json.</param>
/// <param name="Prefix">Tokens before the thought, the begin marker included.</param>
internal sealed record GrowthPoint(string Model, int Groups, int GroupSize, int Prefix, int Thought, int Threads, int Repeats)
{
    /// <summary>The command by which this program calls itself.</summary>
    private const string CommandName = "growth-point";

    public int ThoughtTokens => Groups * GroupSize * Thought;

    /// <summary>Measures in a process of its own, so that what one size leaves in the allocator does not hide the peak of the next.</summary>
    public GrowthCost Measure()
    {
        var start = new ProcessStartInfo(Environment.ProcessPath!, [CommandName, JsonSerializer.Serialize(this)]) { RedirectStandardOutput = true };
        using var process = Process.Start(start)!;
        var output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return process.ExitCode == 0
            ? JsonSerializer.Deserialize<GrowthCost>(output)!
            : throw new InvalidOperationException($"{this with { Model = "..." }} ended with exit code {process.ExitCode}: {output}");
    }

    public static Command Command()
    {
        var point = new Argument<string>("point");
        var command = new Command(CommandName, "One size of the section growth, as JSON; called by it.") { point };
        command.Hidden = true;
        command.SetAction(arguments =>
        {
            var measured = JsonSerializer.Deserialize<GrowthPoint>(arguments.GetValue(point)!)!;
            Console.WriteLine(JsonSerializer.Serialize(OwnThread.Run(measured.Threads, measured.MeasureHere)));
        });
        return command;
    }

    private GrowthCost MeasureHere()
    {
        using var model = new BenchmarkModel((Qwen3Config)DecoderConfig.Parse(Model, CommandName), trainable: true);
        using var learner = new Learner(model.Decoder, model.Tokenizer, ExactThoughts.RlpStage(Groups, GroupSize, Thought));
        using var sampler = ExactThoughts.Sampler(model, Thought);
        Learn(Sample(model.Positions(1, 4), 2)); // touches weights, gradients and moments, and compiles

        var positions = model.Positions(Groups, Prefix - 1);
        ScoredGroup[] scored = [];
        var sampleBytes = PeakBytes(() => scored = Sample(positions, GroupSize));
        var learnBytes = PeakBytes(() => Learn(scored));
        var sampleSeconds = Median.Of([.. Enumerable.Range(0, Repeats).Select(_ => InTurns.Seconds(() => Sample(positions, GroupSize)))]);
        var learnSeconds = Median.Of([.. Enumerable.Range(0, Repeats).Select(_ => InTurns.Seconds(() => Learn(scored)))]);
        return new GrowthCost(sampleSeconds, sampleBytes, learnSeconds, learnBytes);

        ScoredGroup[] Sample(GroupPosition[] from, int groupSize) =>
            [.. ExactThoughts.Sample(sampler, 1, from, groupSize, Thought).Select(g => new ScoredGroup(g, -8.0))];

        void Learn(ScoredGroup[] groups) => learner.ApplyRlp(1, groups);
    }

    /// <summary>How far the resident memory rose above where it stood.</summary>
    private static long PeakBytes(Action work)
    {
        GC.Collect();
        var before = ResidentMemory.Now();
        ResidentMemory.ResetPeak();
        work();
        return ResidentMemory.Peak() - before;
    }
}
