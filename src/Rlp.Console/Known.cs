using Rlp.Protocol.Replies;
using Rlp.Protocol.Runs;

namespace Rlp.Consoles;

/// <summary>Runs, stages and nodes by what a user called them, or an error that names the nearest.</summary>
internal static class Known
{
    /// <summary>The id of a run that exists.</summary>
    public static async Task<string> ExistingAsync(this IClusterView cluster, string runId, CancellationToken cancellation)
    {
        if (cluster.State(runId).Status != RunStatus.Absent) return runId;
        var ids = (await cluster.RunsAsync(cancellation)).Select(r => r.RunId).ToArray();
        throw new CommandFailedException($"there is no run '{runId}'{Names("run", runId, ids)}");
    }

    public static string OfNode(string name, IEnumerable<NodeView> members)
    {
        var names = members.Select(m => m.Name).ToArray();
        return names.Contains(name) ? name : throw new CommandFailedException($"there is no node '{name}'{Names("node", name, names)}");
    }

    /// <summary>Null for null: every stage.</summary>
    public static string? OfStage(string? stage, string runId, RunState state) => stage is null || state.Plan.Stages.Any(s => s.Id == stage)
        ? stage
        : throw new CommandFailedException($"run '{runId}' has no stage '{stage}'{Names("stage", stage, [.. state.Plan.Stages.Select(s => s.Id)])}");

    public static string Names(string what, string name, IReadOnlyList<string> names) => names.Count == 0
        ? $"; there is no {what} yet"
        : $"{(NearestName.Question(name, names) is { Length: > 0 } question ? question : ";")} the {what}s are {string.Join(", ", names.Take(20))}{(names.Count > 20 ? ", ..." : "")}";

    public static IEnumerable<RunReport> Running(this IEnumerable<RunReport> runs) => runs.Where(r => r.Status == RunStatus.Running);
}
