using Rlp.Actors.Workers;
using Rlp.Protocol.Runs;
using Rlp.Training.Recipes;

namespace Rlp.Actors.Runs;

/// <summary>The memory that a run's leases ask for, in bytes: weights and what is kept per weight (fp32). Activations come on top.</summary>
internal static class RunMemory
{
    private const int Float32 = sizeof(float);

    public static Dictionary<string, long> Of(Recipe recipe)
    {
        var parameters = Parameters(recipe);
        var hasTeacher = recipe.Stages.Any(s => s.Kind == StageKind.Rlp);
        return new Dictionary<string, long>
        {
            [WorkerActor.NameOf(Role.Learner)] = 4 * parameters * Float32, // weights, gradients and AdamW's two moments
            [WorkerActor.NameOf(Role.Ema)] = hasTeacher ? parameters * Float32 : 0,
        };
    }

    /// <summary>Parameters of a Qwen3-shaped decoder.</summary>
    private static long Parameters(Recipe recipe)
    {
        var m = recipe.Model;
        long vocabulary = recipe.Tokenizer.Kind == TokenizerKind.Bytes ? 256 : recipe.Tokenizer.Characters.Length;
        var attention = (long)m.HiddenSize * m.HeadDim * (2 * m.AttentionHeads + 2 * m.KeyValueHeads) + 2 * m.HeadDim;
        var feedForward = 3L * m.HiddenSize * m.IntermediateSize;
        var embeddings = vocabulary * m.HiddenSize * (m.TieWordEmbeddings ? 1 : 2);
        return m.Layers * (attention + feedForward + 2L * m.HiddenSize) + embeddings + m.HiddenSize;
    }
}
