using System.Text.Json;
using System.Text.Json.Serialization;
using Rlp.Protocol.Events;
using Rlp.Protocol.Payloads;
using Rlp.Protocol.Replies;

namespace Rlp.Protocol.Runs;

/// <summary>A run as it is shown: what its journal says, and what the entity that runs it adds.</summary>
public sealed record RunView
{
    public static readonly JsonSerializerOptions Json = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        NumberHandling = JsonNumberHandling.AllowNamedFloatingPointLiterals, // a loss that is no number is a result too
    };

    public required string Run { get; init; }
    public required string Recipe { get; init; }
    public required long Seed { get; init; }

    /// <summary>running, paused, completed, failed or cancelled.</summary>
    public required string Status { get; init; }
    public string? Stage { get; init; }
    public long Step { get; init; }
    public long Steps { get; init; }
    public required DateTimeOffset Created { get; init; }
    public required string RecipeSha256 { get; init; }
    public string? Failure { get; init; }

    /// <summary>Where it was forked from; null where it began as one of its own.</summary>
    public RunLineage? Lineage { get; init; }

    /// <summary>What is in progress; null where no entity runs it, or none was asked.</summary>
    public string? Doing { get; init; }

    /// <summary>The node that the run's entity stands on.</summary>
    public string? Node { get; init; }
    public IReadOnlyList<WorkerSeat> Workers { get; init; } = [];

    /// <summary>By the names of <see cref="RecoveryTotals.Metrics"/>.</summary>
    public required IReadOnlyDictionary<string, double> Recovery { get; init; }

    /// <param name="report">The entity's own word; null where nobody asked it.</param>
    public static RunView Of(RunState state, RunReport? report) => new()
    {
        Run = state.RunId,
        Recipe = NameOf(state.RecipeJson),
        Seed = state.Seed,
        Status = state.Status.ToString().ToLowerInvariant(),
        Stage = state.Stage?.Plan.Id,
        Step = state.Stage?.Applied ?? 0,
        Steps = state.Stage?.Plan.Steps ?? 0,
        Created = DateTimeOffset.FromUnixTimeMilliseconds(state.CreatedUnixMilliseconds),
        RecipeSha256 = state.RecipeSha256,
        Failure = state.Status == RunStatus.Failed ? state.FailureMessage : null,
        Lineage = state.Lineage,
        Doing = report?.Doing is { Length: > 0 } doing ? doing : null,
        Node = report?.Node is { Length: > 0 } node ? node : null,
        Workers = report?.Workers ?? [],
        Recovery = state.Recovery.Metrics(state.CreatedUnixMilliseconds),
    };

    private static string NameOf(string recipeJson)
    {
        using var recipe = JsonDocument.Parse(recipeJson);
        return recipe.RootElement.EnumerateObject().FirstOrDefault(p => p.Name.Equals("name", StringComparison.OrdinalIgnoreCase)).Value is { ValueKind: JsonValueKind.String } name
            ? name.GetString()!
            : "";
    }
}

/// <summary>The digests of one applied step: equal runs have equal ones.</summary>
public sealed record StepDigest(string Stage, long Step, double Loss, double GradNorm, double? RewardMean, string ParametersSha256, string? ThoughtsSha256)
{
    public static StepDigest Of(StepApplied step) =>
        new(step.Stage, step.Step, step.Loss, step.GradNorm, step.RewardMean, step.ParametersSha256, step.ThoughtsSha256);
}
