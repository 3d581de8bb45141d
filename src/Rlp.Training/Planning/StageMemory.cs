using Rlp.Models;
using Rlp.Training.Recipes;

namespace Rlp.Training.Planning;

/// <summary>
/// The memory of a stage at its peak, by part: what it holds all the time, and what the phase that needs most adds to that. The one memory model:
/// `rlp plan` prints it, and a node grants its leases by it.
/// </summary>
/// <param name="Held">What is there from the first step to the last.</param>
/// <param name="Phases">What each phase of a step adds while it lasts; they take turns.</param>
public sealed record StageMemory(IReadOnlyList<MemoryPart> Held, IReadOnlyList<MemoryPhase> Phases)
{
    /// <summary>
    /// The process with runtime, libtorch and actor system before it opens a model; measured by `plan-memory` of tests/Rlp.Benchmarks.
    /// </summary>
    public const long RuntimeBytes = 280L << 20;

    /// <summary>
    /// What the C library's allocator keeps of the memory of the largest phase between pieces that are in use, as a share of it; measured as
    /// <see cref="RuntimeBytes"/>. Fixing its threshold for mapped blocks (MALLOC_MMAP_THRESHOLD_) avoids it, for a third more time in page faults.
    /// </summary>
    private const double Fragmentation = 0.18;

    /// <summary>The phase that needs most.</summary>
    public MemoryPhase PeakPhase => Phases.MaxBy(p => p.Bytes)!;

    /// <summary>The parts at the peak.</summary>
    public IReadOnlyList<MemoryPart> Peak => [.. Held, .. PeakPhase.Parts];

    public long PeakBytes => Held.Sum(p => p.Bytes) + PeakPhase.Bytes;

    /// <summary>The largest of a recipe's stages, which follow one another.</summary>
    public static StageMemory Of(Recipe recipe, bool onCpu = true)
    {
        var config = RecipeNetwork.Config(recipe, RecipeNetwork.Tokenizer(recipe));
        var layout = Decoder.Layout(config);
        return recipe.Stages.Select(stage => Of(recipe.Model.Dtype, stage, config, layout.Length, onCpu)).MaxBy(m => m.PeakBytes)!;
    }

    /// <summary>A node that samples, scores and learns.</summary>
    /// <param name="arenaLength">Elements of one copy of the network, see <see cref="ArenaLayout.Length"/>.</param>
    /// <param name="onCpu">The C library's allocator, not a device's.</param>
    public static StageMemory Of(WeightType type, StageSettings stage, DecoderConfig config, long arenaLength, bool onCpu)
    {
        var network = NetworkBytes.Of(arenaLength, type);
        List<MemoryPart> held =
        [
            Runtime,
            new("policy weights", network.Weights, SmallerModel),
            new("gradients", network.Gradients, SmallerModel),
            new("AdamW moments", network.Moments, SmallerModel),
        ];
        if (network.Master > 0) held.Add(new("master weights", network.Master, SmallerModel));
        if (stage.Rlp is { } rlp)
        {
            held.Add(new("teacher", network.Teacher, SmallerModel));
            if (rlp.Beta > 0) held.Add(new("reference", network.Weights, $"{Section(stage)}.beta = 0, or a smaller model"));
            if (rlp.Staleness > 0)
                held.Add(new("older versions", 2 * (rlp.Staleness + 1) * network.Weights, $"{Section(stage)}.staleness down")); // see WeightHistory
            if (Decoding(type, stage, config, onCpu) is { } decoding) held.Add(decoding);
        }
        return Of(held, [.. RolloutPhases(type, stage, config, onCpu), Learning(type, stage, config, onCpu), Update(arenaLength)], onCpu);
    }

    /// <summary>A node that samples and scores for a learner elsewhere.</summary>
    public static StageMemory OfRollout(WeightType type, StageSettings stage, DecoderConfig config, long arenaLength, bool onCpu)
    {
        List<MemoryPart> held =
        [
            Runtime,
            new("policy weights", NetworkBytes.Of(arenaLength, type).Weights, SmallerModel),
            new("teacher", NetworkBytes.Of(arenaLength, type).Weights, SmallerModel),
        ];
        if (Decoding(type, stage, config, onCpu) is { } decoding) held.Add(decoding);
        return Of(held, [.. RolloutPhases(type, stage, config, onCpu)], onCpu);
    }

    /// <summary>The matrices as the kernels of the CPU decode with them, beside the policy's own; for each version that is sampled with.</summary>
    private static MemoryPart? Decoding(WeightType type, StageSettings stage, DecoderConfig config, bool onCpu) =>
        onCpu && type == WeightType.Float32 && config is TransformerConfig && stage.Rlp is { } rlp
            ? new("decoding weights", (rlp.Staleness + 1) * Decoder.CostsOf(config, Decoder.Layout(config)).MatrixParameters * sizeof(float), SmallerModel)
            : null;

    /// <summary>
    /// Each engine's thread has a heap of its own, which keeps what its phase has freed: on a CPU the phases do not share their memory.
    /// </summary>
    private static StageMemory Of(List<MemoryPart> held, IReadOnlyList<MemoryPhase> phases, bool onCpu)
    {
        if (!onCpu) return new StageMemory(held, phases);
        var peak = phases.Max(p => p.Bytes);
        var own = phases.Where(p => p.Name != UpdateName).Select(p => p.Bytes).ToList();
        var kept = own.Sum() - own.Max() + phases.Where(p => p.Name == UpdateName).Sum(p => p.Bytes);
        var remedy = phases.MaxBy(p => p.Bytes)!.Parts.MaxBy(p => p.Bytes)!.Remedy;
        return new StageMemory([.. held, new("allocator's reserve", kept + (long)(Fragmentation * peak), remedy)], phases);
    }

    private const string UpdateName = "update"; // of large pieces, which what learning has freed does not hold

    private const string SmallerModel = "a smaller model";

    private static MemoryPart Runtime => new("runtime", RuntimeBytes, "nothing: it is the process itself");

    private static int WeightBytes(WeightType type) => type == WeightType.Bfloat16 ? 2 : sizeof(float);

    private static string Section(StageSettings stage) => stage.Id.Replace('_', '-');

    private static IEnumerable<MemoryPhase> RolloutPhases(WeightType type, StageSettings stage, DecoderConfig config, bool onCpu)
    {
        if (stage.Rlp is not { } rlp) yield break;
        var (element, section) = (WeightBytes(type), Section(stage));
        long positions = (stage.BatchSize + rlp.Lanes - 1) / rlp.Lanes, sequences = positions * rlp.GroupSize, prefix = stage.ContextLength + 1L;
        var state = config.StateBytes(positions, prefix, element) + config.StateBytes(sequences, rlp.MaxThoughtTokens, element);
        yield return new("rollout",
        [
            new("key-value cache", state,
                $"{section}.lanes up, or {section}.max-thought-tokens, {section}.group-size or {section}.context-length down"),
            new("logits", sequences * ActivationBytes.DrawLogits(config, onCpu), $"{section}.lanes up"),
            new("activations", positions * prefix * ActivationBytes.Forward(config, element), $"{section}.lanes up"),
        ]);
        yield return new("evidence",
        [
            new("activations", PassTokens(stage, positions * prefix, prefix) * ActivationBytes.Forward(config, element), $"{section}.micro-batch-tokens down"),
        ]);
    }

    private static MemoryPhase Learning(WeightType type, StageSettings stage, DecoderConfig config, bool onCpu)
    {
        var section = Section(stage);
        long longest = stage.ContextLength, all = stage.BatchSize * longest;
        if (stage.Rlp is { } rlp) // a prefix and its marker once for its thoughts
            (longest, all) = (longest + 1 + rlp.MaxThoughtTokens, stage.BatchSize * (longest + 1 + ((long)rlp.GroupSize * rlp.MaxThoughtTokens)));
        var tokens = PassTokens(stage, all, longest);
        return new("learning",
        [
            new("activations", tokens * ActivationBytes.Trained(config, WeightBytes(type), stage.ActivationCheckpointing),
                $"{section}.activation-checkpointing = true, or {section}.micro-batch-tokens or {section}.context-length down"),
            new("logits", ActivationBytes.LossLogits(config, tokens, onCpu), $"{section}.micro-batch-tokens down"),
        ]);
    }

    /// <summary>Tokens of one pass: as many as a micro-batch takes, but whole sequences.</summary>
    private static long PassTokens(StageSettings stage, long all, long longest) => Math.Min(all, Math.Max(stage.MicroBatchTokens, longest));

    private static MemoryPhase Update(long arenaLength) => new(UpdateName, [new("optimizer and checkpoint", arenaLength * sizeof(float), SmallerModel)]);
}

/// <summary>A phase of a step, with what it holds while it lasts.</summary>
public sealed record MemoryPhase(string Name, IReadOnlyList<MemoryPart> Parts)
{
    public long Bytes => Parts.Sum(p => p.Bytes);
}
