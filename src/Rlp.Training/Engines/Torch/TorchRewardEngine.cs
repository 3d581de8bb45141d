using Rlp.Models;
using Rlp.Models.Tokenizers;
using Rlp.Training.Recipes;

namespace Rlp.Training.Engines.Torch;

/// <summary>Scores positions with the teacher published on this node.</summary>
internal sealed class TorchRewardEngine : IRewardEngine
{
    private readonly IDecoder teacher;
    private readonly EvidenceScorer scorer;

    public TorchRewardEngine(StageContext context)
    {
        ITokenizer tokenizer = RecipeNetwork.Tokenizer(context.Recipe);
        teacher = Decoder.Create(RecipeNetwork.Config(context.Recipe, tokenizer),
            context.Weights.Get<ParameterArena>(context.RunId, TorchTeacherEngine.Published));
        scorer = new EvidenceScorer(teacher, tokenizer, context.Stage.MicroBatchTokens);
    }

    public double[] Score(IReadOnlyList<GroupPosition> positions) => scorer.WithoutThought(positions);

    public void Dispose() => teacher.Dispose();
}
