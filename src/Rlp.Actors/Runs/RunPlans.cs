using Rlp.Protocol.Payloads;
using Rlp.Training.Recipes;

namespace Rlp.Actors.Runs;

/// <summary>What the run entity decides by, taken from a recipe.</summary>
public static class RunPlans
{
    /// <summary>
    /// The stages in order. Compared are "base", the stage that the RLP stage starts from (the first stage where the recipe has none), and
    /// every stage after it under its own id. Where RLP starts from a pretrained model, no stage is the base: each is compared under its own id.
    /// </summary>
    public static RunPlan Of(Recipe recipe) => new()
    {
        Stages = [.. recipe.Stages.Select(stage => new StagePlan
        {
            Id = stage.Id,
            Rlp = stage.Kind == StageKind.Rlp,
            From = stage.From ?? "",
            Steps = stage.Steps,
            Lanes = stage.Rlp?.Lanes ?? 0,
            Staleness = stage.Rlp?.Staleness ?? 0,
            CheckpointEvery = stage.CheckpointEvery,
            EvaluateEvery = recipe.Compare is null ? 0 : stage.EvaluateEvery,
            EvaluateProblems = recipe.Compare?.ProblemsWhileTraining ?? 0,
        })],
        Compared = recipe.Compare is null ? [] : [.. Compared(recipe)],
        CompareProblems = recipe.Compare?.Problems ?? 0,
    };

    private static IEnumerable<ComparedStage> Compared(Recipe recipe)
    {
        if (recipe.Stages.Count == 0)
            yield break;
        var rlp = recipe.Stages.FirstOrDefault(s => s.Kind == StageKind.Rlp);
        if (recipe.Model.Path is not null && rlp is { From: null })
        {
            foreach (var stage in recipe.Stages) yield return new ComparedStage { Name = stage.Id, Stage = stage.Id };
            yield break;
        }
        var foundation = rlp?.From ?? recipe.Stages[0].Id;
        yield return new ComparedStage { Name = "base", Stage = foundation };
        foreach (var stage in recipe.Stages.SkipWhile(s => s.Id != foundation).Skip(1))
            yield return new ComparedStage { Name = stage.Id, Stage = stage.Id };
    }
}
