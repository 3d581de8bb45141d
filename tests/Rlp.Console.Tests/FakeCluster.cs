using System.Runtime.CompilerServices;
using Rlp.Protocol.Events;
using Rlp.Protocol.Payloads;
using Rlp.Protocol.Replies;
using Rlp.Protocol.Runs;

namespace Rlp.Consoles.Tests;

/// <summary>
/// A cluster of three nodes of which "three" is silent, and two runs: "alpha" at work on step 3 of its RLP stage, and "beta", paused. What is done to it
/// is kept in <see cref="Done"/>.
/// </summary>
internal sealed class FakeCluster : IClusterView
{
    private static readonly DateTimeOffset Noon = new(2026, 1, 2, 12, 0, 0, TimeSpan.Zero);

    private readonly Dictionary<string, List<IRunEvent>> journal = new()
    {
        ["alpha"] =
        [
            Created("alpha"),
            new StageStarted { RunId = "alpha", Stage = "pretrain" },
            new StepPlanned { RunId = "alpha", Stage = "pretrain", Step = 1 },
            Applied("alpha", "pretrain", 1, loss: 4),
            new CheckpointCommitted { RunId = "alpha", Stage = "pretrain", Step = 1, Path = "checkpoints/pretrain/step-00000001", Sha256 = "c0" },
            new StageCompleted { RunId = "alpha", Stage = "pretrain" },
            new StageStarted { RunId = "alpha", Stage = "rlp" },
            Planned(1),
            Accepted(1, 0, 1, 2, 3),
            Applied("alpha", "rlp", 1, loss: 0.25, reward: 0.5),
            Planned(2),
            Accepted(2, 0, 1, 2, 3),
            Applied("alpha", "rlp", 2, loss: 0.125, reward: 1.5),
            new CheckpointCommitted { RunId = "alpha", Stage = "rlp", Step = 2, Path = "checkpoints/rlp/step-00000002", Sha256 = "c1" },
            Planned(3),
            Accepted(3, 0),
        ],
        ["beta"] = [Created("beta"), new RunPaused { RunId = "beta", Reason = "dinner" }],
    };

    private int followers;

    public List<string> Done { get; } = [];

    /// <summary>Tails that go on.</summary>
    public int Followers => followers;

    public string? Damage { get; init; }

    public bool Drains { get; init; } = true;

    public bool Gone { get; init; }

    public string Node => "one";

    public DateTimeOffset Now => Noon;

    public IReadOnlyList<NodeView> Members { get; init; } =
    [
        new("one", "127.0.0.1:4051", ["coordinator", "learner", "rollout"], "up", true, true),
        new("two", "127.0.0.1:4052", ["rollout", "reward"], "up", true, false),
        new("three", "127.0.0.1:4053", ["rollout"], "up", false, false),
    ];

    private static RunCreated Created(string run) => new()
    {
        RunId = run,
        RecipeJson = """{"Name": "arithmetic"}""",
        RecipeSha256 = new string('a', 64),
        Seed = 7,
        CreatedUnixMilliseconds = Noon.ToUnixTimeMilliseconds() - 60_000,
        Plan = new RunPlan { Stages = [new StagePlan { Id = "pretrain", Steps = 1 }, new StagePlan { Id = "rlp", Rlp = true, Steps = 9, Lanes = 2, From = "pretrain" }] },
    };

    private static StepPlanned Planned(long step) => new()
    {
        RunId = "alpha",
        Stage = "rlp",
        Step = step,
        PolicyVersion = step - 1,
        Lanes = [new LanePlan { Lane = 0, Groups = [0, 1] }, new LanePlan { Lane = 1, Groups = [2, 3] }],
    };

    private static GroupsAccepted Accepted(long step, params int[] groups) =>
        new() { RunId = "alpha", Stage = "rlp", Step = step, Groups = [.. groups.Select(g => new AcceptedGroup { Group = g, ThoughtsSha256 = $"sha {step} {g}" })] };

    private static StepApplied Applied(string run, string stage, long step, double loss, double? reward = null) => new()
    {
        RunId = run,
        Stage = stage,
        Step = step,
        Loss = loss,
        GradNorm = 2,
        RewardMean = reward,
        ParametersSha256 = new string('b', 64),
        InputTokens = 100,
        Seconds = 0.5,
        Metrics = reward is null ? [] : new() { ["completions/mean_length"] = 10 + step },
    };

    public Task<IReadOnlyList<NodeReport>> NodesAsync(CancellationToken cancellation) => Task.FromResult<IReadOnlyList<NodeReport>>(
    [
        new(Members[0], new NodeStatus { Cores = 2, MemoryBytes = 1 << 30, Device = "the CPU", Leases = [new LeaseGranted { RunId = "alpha", Device = "the CPU", Cores = 2, MemoryBytes = 1 << 20 }] },
        [
            new WorkerStatus { Role = "learner", State = "working", What = "ApplyRlpStep of run 'alpha'", SinceUnixMilliseconds = Noon.ToUnixTimeMilliseconds() - 3000, Done = 11 },
            new WorkerStatus { Role = "rollout", State = "idle", SinceUnixMilliseconds = Noon.ToUnixTimeMilliseconds() - 200_000 },
        ]),
        new(Members[1], new NodeStatus { Cores = 4, MemoryBytes = 1L << 31, Device = "the GPU", Draining = true }, [new WorkerStatus { Role = "rollout", State = "idle" }]),
        new(Members[2], null, []),
    ]);

    public Task<IReadOnlyList<RunReport>> RunsAsync(CancellationToken cancellation) =>
        Task.FromResult<IReadOnlyList<RunReport>>([.. journal.Keys.Select(id => RunReport.Of(id, State(id)) with { Node = "one" })]);

    public Task<RunView> RunAsync(string runId, CancellationToken cancellation) => Task.FromResult(RunView.Of(State(runId), runId != "alpha" || Gone ? null : new RunReport
    {
        Doing = "SampleThoughts",
        Node = "one",
        Workers = [new WorkerSeat { Role = "learner", Node = "one" }, new WorkerSeat { Role = "lane", Lane = 1, Node = "two" }],
    }));

    public RunState State(string runId) => Events(runId).Aggregate(RunState.Empty, (state, e) => state.Apply(e.Event));

    public IEnumerable<JournaledEvent> Events(string runId) => journal.GetValueOrDefault(runId, [])
        .Select((e, i) => new JournaledEvent(i + 1, Noon.AddSeconds(i), Protocol.Serialization.MessageRegistry.ManifestOf(e.GetType()), e));

    public void Journal(IRunEvent e) => journal[e.RunId].Add(e);

    public IAsyncEnumerable<JournaledEvent> FollowAsync(string runId, long after, CancellationToken cancellation) =>
        FollowAsync(Events(runId).Where(e => e.Number > after), cancellation);

    public IAsyncEnumerable<JournaledEvent> FollowAllAsync(int last, CancellationToken cancellation) =>
        FollowAsync(journal.Keys.SelectMany(Events).TakeLast(last), cancellation);

    /// <summary>What is there, and then it waits to be cancelled, as a tail does.</summary>
    private async IAsyncEnumerable<JournaledEvent> FollowAsync(IEnumerable<JournaledEvent> events, [EnumeratorCancellation] CancellationToken cancellation)
    {
        Interlocked.Increment(ref followers);
        try
        {
            foreach (var e in events) yield return e;
            await Task.Delay(Timeout.Infinite, cancellation);
        }
        finally
        {
            Interlocked.Decrement(ref followers);
        }
    }

    public Task<IReadOnlyList<JournalCount>> CountJournalAsync(CancellationToken cancellation) => Task.FromResult<IReadOnlyList<JournalCount>>(
        [.. journal.Select(run => new JournalCount(run.Key, run.Value.Count, 2048, Noon, Noon.AddMinutes(1)))]);

    private T Do<T>(string what, T answer)
    {
        Done.Add(what);
        return answer;
    }

    public Task<RunStopped> PauseAsync(string runId, CancellationToken cancellation) => Task.FromResult(
        Do($"pause {runId}", new RunStopped { RunId = runId, Status = RunStatus.Paused, Checkpoint = State(runId).Checkpoints.LastOrDefault() }));

    public Task<RunAccepted> ResumeAsync(string runId, CancellationToken cancellation) => Task.FromResult(Do($"resume {runId}", new RunAccepted { RunId = runId }));

    public Task<RunStopped> CancelAsync(string runId, CancellationToken cancellation) => Task.FromResult(Do($"cancel {runId}", new RunStopped { RunId = runId, Status = RunStatus.Cancelled }));

    public IAsyncEnumerable<string> RunsCommandAsync(IReadOnlyList<string> words, CancellationToken cancellation) => Do(string.Join(' ', words), (string[])["step 1 equal"]).ToAsyncEnumerable();

    public IReadOnlyList<CheckpointView> Checkpoints(string runId) => [.. State(runId).Checkpoints.Select((c, i) => new CheckpointView(c, i == 0 ? null : 3 << 20))];

    public string? DamageOf(string runId, WireCheckpoint checkpoint) => Damage;

    public IReadOnlyList<string> Prune(string runId, int keep) => Do($"prune {runId} {keep}", (string[])[]);

    /// <summary>Steps of alpha's RLP stage whose files cannot be read.</summary>
    public IReadOnlyList<long> DamagedThoughts { get; init; } = [];

    public string TamperedDigest { get; init; } = "";

    /// <summary>The groups whose texts were read, in their order.</summary>
    public List<string> TextsRead { get; } = [];

    /// <summary>Of steps 1 and 2, four groups of two thoughts each are kept; the file of step 3 was pruned just now.</summary>
    public IReadOnlyList<long> ThoughtSteps(string runId, string stage) => (runId, stage) == ("alpha", "rlp") ? [1, 2, 3] : [];

    public Task<IReadOnlyList<KeptGain>> GainsAsync(string runId, string stage, long step, CancellationToken cancellation) => Task.FromResult<IReadOnlyList<KeptGain>>(
        DamagedThoughts.Contains(step) ? throw new InvalidDataException($"{step}.parquet is no whole file of thoughts") : step == 3 ? []
        : [.. Enumerable.Range(0, 8).Select(i => new KeptGain(i / 2, i % 2, Gain(step, i / 2, i % 2)))]);

    public Task<IReadOnlyList<KeptGroup>> GroupsAsync(string runId, string stage, long step, IReadOnlySet<int> groups, CancellationToken cancellation)
    {
        TextsRead.AddRange(groups.Select(g => $"{step}/{g}"));
        return Task.FromResult<IReadOnlyList<KeptGroup>>(
            DamagedThoughts.Contains(step) ? throw new InvalidDataException($"{step}.parquet is no whole file of thoughts")
            : [.. groups.Where(g => g < 4).Select(g => new KeptGroup(
                $"{step}.parquet", g, step - 1, $"{new string('p', 30)}\n{g}+{g}=", 34, "\t", -2, $"sha {step} {g}{TamperedDigest}",
                [.. Enumerable.Range(0, 2).Select(m => new KeptThought(m, $"{new string((char)('a' + m), 40 * (m + 1))}\u001b</think>", 5, m == 1, -1, Gain(step, g, m), -3.5))]))]);
    }

    /// <summary>Alternating signs: step 1 gains 0, -1, 2, -3, ... and step 2 ten times that.</summary>
    private static double Gain(long step, int group, int member) => (group * 2 + member) * (member == 0 ? 1 : -1) * (step == 1 ? 1 : 10);

    public Task<WorkerStatus> RestartWorkerAsync(string node, Role role, CancellationToken cancellation) =>
        Task.FromResult(Do($"restart {node} {role}", new WorkerStatus { Role = "rollout", State = "restarting", What = "SampleThoughts of run 'alpha'" }));

    public Task<bool> DrainAsync(string node, TimeSpan within, CancellationToken cancellation) => Task.FromResult(Do($"drain {node} {within.TotalSeconds}", Drains));

    public Task LeaveAsync(string node) => Task.FromResult(Do($"leave {node}", true));

    public Task DownAsync(string node) => Task.FromResult(Do($"down {node}", true));

    public Task<LaneReassigned> ReassignLaneAsync(string runId, int lane, string? node, CancellationToken cancellation) =>
        Task.FromResult(Do($"reassign {runId}/{lane} {node}", new LaneReassigned { RunId = runId, Lane = lane, From = "one", To = node ?? "two" }));
}
