using Rlp.Corpora;
using Rlp.Training.Recipes;

namespace Rlp.Training.Engines;

/// <summary>The data of a stage, tokenised; holds no state but what it has opened.</summary>
internal sealed class CorpusDataEngine : IDataEngine
{
    private readonly StageSettings stage;
    private readonly NtpBatches? documents;
    private readonly PositionBatches? positions;

    public CorpusDataEngine(StageContext context)
    {
        stage = context.Stage;
        var tokenizer = RecipeNetwork.Tokenizer(context.Recipe);
        var stream = StageCorpora.Training(context.Recipe, stage);
        if (stage.Rlp is null) documents = new NtpBatches(stream, tokenizer.EncodeDocument, stage.ContextLength);
        else positions = new PositionBatches(stream, tokenizer.EncodeDocument, StageCorpora.Strategy(stage.Rlp.Positions, context.Recipe, tokenizer), stage.ContextLength);
    }

    public StepData Load(DataCursor from)
    {
        if (documents is not null)
        {
            var batch = documents.Load(from, stage.BatchSize);
            return new StepData(from, batch.Next, batch.Documents, []);
        }
        var pairs = positions!.Load(from, stage.BatchSize);
        return new StepData(from, pairs.Next, [], [.. pairs.Positions.Select((p, group) => new GroupPosition(group, p.Prefix, p.NextToken))]);
    }

    public void Dispose()
    {
    }
}
