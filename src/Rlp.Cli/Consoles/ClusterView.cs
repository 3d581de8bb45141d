using Rlp.Actors.Hosting;
using Rlp.Actors.Journals;
using Rlp.Actors.Runs;
using Rlp.Consoles;
using Rlp.Models.Tokenizers;
using Rlp.Protocol.Events;
using Rlp.Protocol.Payloads;
using Rlp.Protocol.Replies;
using Rlp.Protocol.Runs;
using Rlp.Training.Checkpoints;
using Rlp.Training.Engines;
using Rlp.Training.Recipes;
using Rlp.Training.Thoughts;

namespace Rlp.Cli.Consoles;

/// <summary>What a console sees of the running cluster, from one of its nodes.</summary>
/// <param name="runsCommand">How `rlp runs` is told where this node's journal is.</param>
internal sealed class ClusterView(RunClient runs, NodeOptions options, NodeRunsCommand runsCommand) : IClusterView
{
    private readonly RunJournal journal = new(options.Journal);
    private readonly Dictionary<string, ITokenizer> tokenizers = [];

    public string Node => options.Name;

    public DateTimeOffset Now => DateTimeOffset.UtcNow;

    public IReadOnlyList<NodeView> Members => runs.Nodes.Members();

    public Task<IReadOnlyList<NodeReport>> NodesAsync(CancellationToken cancellation) => runs.Nodes.ReportsAsync(cancellation);

    /// <summary>Which runs there are and where their entities stand, as the registry knows it; the rest as the journal has it, which is newer.</summary>
    public async Task<IReadOnlyList<RunReport>> RunsAsync(CancellationToken cancellation)
    {
        var registered = await RegisteredAsync(cancellation) ?? [.. journal.RunIds().Select(id => new RunReport { RunId = id })];
        return [.. registered.Select(r => RunReport.Of(r.RunId, State(r.RunId)) with { Node = r.Node }).Where(r => r.Status != RunStatus.Absent)];
    }

    public Task<RunView> RunAsync(string runId, CancellationToken cancellation) => runs.ViewAsync(runId, cancellation);

    public RunState State(string runId) => runs.StateOf(runId);

    public IEnumerable<JournaledEvent> Events(string runId) => journal.Read(runId);

    public IAsyncEnumerable<JournaledEvent> FollowAsync(string runId, long after, CancellationToken cancellation) => journal.FollowAsync(runId, after, cancellation);

    public IAsyncEnumerable<JournaledEvent> FollowAllAsync(int last, CancellationToken cancellation) => journal.FollowAllAsync(last, cancellation);

    public async Task<IReadOnlyList<JournalCount>> CountJournalAsync(CancellationToken cancellation) =>
        [.. (await Task.Run(journal.Count, cancellation)).Select(c => new JournalCount(c.RunId, c.Events, c.Bytes, c.First, c.Last))];

    public Task<RunStopped> PauseAsync(string runId, CancellationToken cancellation) => runs.StopAsync(runId, Reason, cancellation);

    public Task<RunAccepted> ResumeAsync(string runId, CancellationToken cancellation) => runs.ResumeAsync(runId, cancellation);

    public Task<RunStopped> CancelAsync(string runId, CancellationToken cancellation) => runs.CancelAsync(runId, Reason, cancellation);

    public IAsyncEnumerable<string> RunsCommandAsync(IReadOnlyList<string> words, CancellationToken cancellation) => runsCommand.LinesAsync(words, cancellation);

    public IReadOnlyList<CheckpointView> Checkpoints(string runId) =>
        [.. State(runId).Checkpoints.DistinctBy(c => c.Path).Select(c => new CheckpointView(c, SizeOf(Path.Combine(options.RunFolder(runId), c.Path))))];

    public string? DamageOf(string runId, WireCheckpoint checkpoint)
    {
        try
        {
            CheckpointFolder.Verify(new CheckpointReference(checkpoint.Stage, checkpoint.Step, Path.Combine(options.RunFolder(runId), checkpoint.Path), checkpoint.Sha256));
            return null;
        }
        catch (Exception e) when (e is CheckpointException or IOException or UnauthorizedAccessException)
        {
            return e.Message;
        }
    }

    public IReadOnlyList<string> Prune(string runId, int keep)
    {
        var state = State(runId);
        var checkpoints = new RunCheckpoints(options.RunFolder(runId));
        return
        [
            .. checkpoints.ClearUnfinished(),
            .. state.Plan.Stages.SelectMany(s => checkpoints.Prune(state.Checkpoints.Where(c => !state.IsForkPoint(c)), s.Id, keep)),
        ];
    }

    public IReadOnlyList<long> ThoughtSteps(string runId, string stage) => ThoughtsOf(runId).Steps(stage);

    public async Task<IReadOnlyList<KeptGain>> GainsAsync(string runId, string stage, long step, CancellationToken cancellation)
    {
        try
        {
            var gains = await ThoughtFile.ReadGainsAsync(ThoughtsOf(runId).FileOf(stage, step), cancellation);
            return [.. gains.Select(g => new KeptGain(g.Group, g.Member, g.Gain))];
        }
        catch (FileNotFoundException) // its room was needed just now
        {
            return [];
        }
    }

    public async Task<IReadOnlyList<KeptGroup>> GroupsAsync(
        string runId, string stage, long step, IReadOnlySet<int> groups, CancellationToken cancellation)
    {
        var file = ThoughtsOf(runId).FileOf(stage, step);
        try
        {
            var read = await ThoughtFile.ReadGroupsAsync(file, groups, cancellation);
            if (!tokenizers.TryGetValue(runId, out var tokenizer))
                tokenizers[runId] = tokenizer = RecipeNetwork.Tokenizer(Recipe.FromJson(State(runId).RecipeJson));
            return [.. read.Select(g => Kept(file, g, tokenizer))];
        }
        catch (FileNotFoundException)
        {
            return [];
        }
    }

    private ThoughtFolder ThoughtsOf(string runId) => new(options.RunFolder(runId));

    private static KeptGroup Kept(string file, ScoredGroup group, ITokenizer tokenizer)
    {
        var (position, thoughts) = group.Sampled;
        var gains = group.Rewards();
        return new(
            file, position.Group, group.Sampled.PolicyVersion, tokenizer.Decode(position.Prefix), position.Prefix.Length,
            tokenizer.Decode([position.NextToken]), group.TeacherEvidence, group.Sampled.ThoughtsSha256(),
            [.. thoughts.Select((t, member) => new KeptThought(
                member, tokenizer.Decode(t.Tokens), t.Tokens.Length, t.Clipped, t.PredictedEvidence, gains[member], t.LogProbabilities.Sum(p => (double)p)))]);
    }

    public Task<WorkerStatus> RestartWorkerAsync(string node, Role role, CancellationToken cancellation) => runs.Nodes.RestartWorkerAsync(node, role, cancellation);

    public Task<bool> DrainAsync(string node, TimeSpan within, CancellationToken cancellation) => runs.Nodes.DrainAsync(node, within, cancellation);

    public Task LeaveAsync(string node)
    {
        runs.Nodes.Leave(node);
        return Task.CompletedTask;
    }

    public Task DownAsync(string node)
    {
        runs.Nodes.Down(node);
        return Task.CompletedTask;
    }

    public Task<LaneReassigned> ReassignLaneAsync(string runId, int lane, string? node, CancellationToken cancellation) =>
        runs.Nodes.ReassignLaneAsync(runId, lane, node, cancellation);

    private string Reason => $"a command at the console of node {options.Name}";

    /// <summary>Null where the registry gives no answer soon: it may be moving.</summary>
    private async Task<IReadOnlyList<RunReport>?> RegisteredAsync(CancellationToken cancellation)
    {
        using var soon = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        soon.CancelAfter(NodeClient.AnswerWithin);
        try
        {
            return (await runs.ListAsync(soon.Token)).Runs;
        }
        catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
        {
            return null;
        }
    }

    private static long? SizeOf(string folder)
    {
        try
        {
            return new DirectoryInfo(folder).EnumerateFiles().Sum(f => f.Length);
        }
        catch (DirectoryNotFoundException)
        {
            return null;
        }
        catch (FileNotFoundException) // pruned just now
        {
            return null;
        }
    }
}
