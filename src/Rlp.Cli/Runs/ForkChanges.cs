using Rlp.Cli.Configuration;

namespace Rlp.Cli.Runs;

/// <summary>
/// Which keys of a recipe a fork may change: those that decided nothing of what the run has done up to the fork. The others are refused one by
/// one, each with the reason.
/// </summary>
internal static class ForkChanges
{
    /// <summary>Belong to the machine, or to evaluations, which change no weights.</summary>
    private static readonly string[] Free = ["name", "runs", "node", "journal", "compare"];

    /// <summary>Of the stage that is forked in its middle.</summary>
    private static readonly Dictionary<string, string> Fixed = new()
    {
        ["from"] = "it decides the weights that the stage began with",
        ["data"] = "the stage's place in its data is a place in this mixture",
        ["context-length"] = "the stage's place in its data is counted in documents that are cut there",
        ["positions"] = "the stage's place in its data is counted in these positions",
        ["staleness"] = "the step's checkpoint holds the older policies of the old value",
    };

    /// <summary>Every key whose value differs.</summary>
    public static IReadOnlyList<string> Keys(LoadedRecipe original, LoadedRecipe changed)
    {
        var (before, after) = (Values(original), Values(changed));
        return [.. before.Keys.Union(after.Keys).Where(key => before.GetValueOrDefault(key) != after.GetValueOrDefault(key)).Order(StringComparer.Ordinal)];
    }

    /// <param name="stage">Id of the stage that is forked.</param>
    /// <param name="step">The last step that the fork takes over; 0 begins the stage anew.</param>
    /// <exception cref="ConfigurationException">A key is changed that decided the fork's past.</exception>
    public static void Check(LoadedRecipe original, LoadedRecipe changed, string stage, long step)
    {
        var problems = Keys(original, changed)
            .Select(key => Reason(key, original, changed, stage, step) is { } reason ? new ConfigurationProblem(RecipeFile.SetOption, null, key, $"'{key}' cannot change in a fork: {reason}") : null)
            .OfType<ConfigurationProblem>().ToList();
        if (problems.Count > 0)
            throw new ConfigurationException([.. problems, new ConfigurationProblem(RecipeFile.SetOption, null, "", "for these, start a run of its own with 'rlp train'")]);
    }

    private static string? Reason(string key, LoadedRecipe original, LoadedRecipe changed, string stage, long step)
    {
        var path = key.Split('.');
        if (Free.Contains(path[0])) return null;
        var stages = original.Recipe.Stages.Select(s => s.Id).ToList();
        var forked = stages.IndexOf(stage);
        if (key == "stages")
            return changed.Recipe.Stages.Select(s => s.Id).Take(forked + 1).SequenceEqual(stages.Take(forked + 1)) ? null
                : $"the stages up to {stage} are the fork's past";
        if (!RecipeReader.StageSections.Contains(path[0]))
            return path[0] switch
            {
                "seed" => "it decided the first weights, the order of the data and the sampling of every step so far",
                "corpora" => "it decides which documents there are, and so the order in which they were read",
                _ => "it decides the network or its tokens",
            };
        var changedStage = stages.IndexOf(RecipeReader.StageId(path[0]));
        if (changedStage < 0 || changedStage > forked || (changedStage == forked && step == 0)) return null; // all of it comes after the fork
        if (changedStage < forked) return $"stage {RecipeReader.StageId(path[0])} is the fork's past";
        if (Fixed.TryGetValue(path[1], out var reason)) return reason;
        if (path[1] == "steps" && changed.Recipe.Stage(stage).Steps < step) return $"the fork takes over {step} steps";
        if (path[1] == "beta" && original.Recipe.Stage(stage).Rlp is { Beta: 0 }) return "the step's checkpoint holds no reference policy, because it was 0";
        return null;
    }

    private static Dictionary<string, string> Values(LoadedRecipe recipe) =>
        recipe.CanonicalText.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => line.Split(" = ", 2)).ToDictionary(p => p[0], p => p[1]);
}
