using Rlp.Models;
using Rlp.Models.Tokenizers;
using Rlp.Training.Recipes;
using Rlp.Training.Weights;

namespace Rlp.Training.Engines.Torch;

/// <summary>Scores positions with the teacher of the version that is asked for, wherever it is published.</summary>
internal sealed class TorchRewardEngine : IRewardEngine
{
    private readonly StageContext context;
    private readonly ITokenizer tokenizer;
    private readonly DecoderConfig config;
    private readonly WeightReader teachers;
    private readonly Dictionary<ParameterArena, IDecoder> decoders = [];

    public TorchRewardEngine(StageContext context)
    {
        this.context = context;
        tokenizer = RecipeNetwork.Tokenizer(context.Recipe);
        config = RecipeNetwork.Config(context.Recipe, tokenizer);
        teachers = context.Weights.Reader(
            context.RunId, WeightNames.Teacher, Decoder.Layout(config), RecipeNetwork.Dtype(context.Recipe), versions: (context.Stage.Rlp?.Staleness ?? 0) + 1);
    }

    public double[] Score(long policyVersion, IReadOnlyList<GroupPosition> positions, WeightReference? teacher = null)
    {
        using var read = teachers.Read(policyVersion, teacher);
        if (!decoders.TryGetValue(read.Arena, out var decoder)) decoders.Add(read.Arena, decoder = Decoder.Create(config, read.Arena));
        return new EvidenceScorer(decoder, tokenizer, context.Stage.MicroBatchTokens).WithoutThought(positions);
    }

    public void Dispose()
    {
        foreach (var decoder in decoders.Values) decoder.Dispose();
        teachers.Dispose();
    }
}
