using Rlp.Models;
using Rlp.Models.Tokenizers;
using Rlp.Training.Recipes;

namespace Rlp.Training.Engines.Torch;

/// <summary>Scores positions with the teacher published on this node: the live one on-policy, else the version that is asked for.</summary>
internal sealed class TorchRewardEngine : IRewardEngine
{
    private readonly WeightHistory? history;
    private readonly Dictionary<ParameterArena, IDecoder> teachers;
    private readonly Dictionary<ParameterArena, EvidenceScorer> scorers;
    private readonly ParameterArena live;

    public TorchRewardEngine(StageContext context)
    {
        ITokenizer tokenizer = RecipeNetwork.Tokenizer(context.Recipe);
        var config = RecipeNetwork.Config(context.Recipe, tokenizer);
        live = context.Weights.Get<ParameterArena>(context.RunId, TorchTeacherEngine.Published);
        if (context.Stage.Rlp is { Staleness: > 0 }) history = context.Weights.Get<WeightHistory>(context.RunId, TorchTeacherEngine.PublishedHistory);
        teachers = (history?.Arenas ?? [live]).ToDictionary(arena => arena, arena => Decoder.Create(config, arena));
        scorers = teachers.ToDictionary(t => t.Key, t => new EvidenceScorer(t.Value, tokenizer, context.Stage.MicroBatchTokens));
    }

    public double[] Score(long policyVersion, IReadOnlyList<GroupPosition> positions) =>
        scorers[history?.At(policyVersion) ?? live].WithoutThought(positions);

    public void Dispose()
    {
        foreach (var teacher in teachers.Values) teacher.Dispose();
    }
}
