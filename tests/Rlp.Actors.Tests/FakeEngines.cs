using System.Collections.Concurrent;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Rlp.Corpora;
using Rlp.Training.Checkpoints;
using Rlp.Training.Engines;
using Rlp.Training.Planning;
using Rlp.Training.Recipes;
using Rlp.Training.Weights;

namespace Rlp.Actors.Tests;

/// <summary>
/// Engines whose whole state is a hash chain: every number they give is a pure function of the seed and of what was applied before, so a
/// lost, repeated or reordered call shows in every digest after it. OnCall is the tests' way to make one throw, block or wait.
/// </summary>
internal sealed class FakeEngines : IEngineFactory
{
    private int open;
    private int reading;

    public Action<string, long> OnCall { get; init; } = (_, _) => { };

    public ConcurrentQueue<string> Calls { get; } = new();

    /// <summary>What learners and teachers show to readers, on whatever node these stand: fake weights need no journey.</summary>
    private readonly ConcurrentDictionary<(string Run, string Name), Weights> published = new();

    private Weights Published(string runId, string name) => published.TryGetValue((runId, name), out var weights)
        ? weights
        : throw new InvalidOperationException($"run '{runId}' has published no '{name}'; open the engine that owns it first");

    /// <summary>Engines that were opened and not disposed.</summary>
    public int OpenEngines => Volatile.Read(ref open);

    /// <summary>What a network is said to hold, in elements.</summary>
    public long Elements { get; init; } = 1000;

    public int PrefixTokens { get; init; } = 3;

    public int ThoughtTokens { get; init; } = 5;

    public StageMemory Memory(Recipe recipe) => new(
        [new MemoryPart("weights and moments", 4 * Elements * sizeof(float), "a smaller model"), new MemoryPart("teacher", Elements * sizeof(float), "a smaller model")],
        [new MemoryPhase("nothing", [])]);

    public IDataEngine OpenData(StageContext context) => new Data(this, context);

    public ILearnerEngine OpenLearner(StageContext context, CheckpointReference? checkpoint) => new Learner(this, context, checkpoint);

    public ITeacherEngine OpenTeacher(StageContext context, CheckpointReference? checkpoint) => new Teacher(this, context, checkpoint);

    public IRolloutEngine OpenRollout(StageContext context) => new Rollout(this, context);

    public IRewardEngine OpenReward(StageContext context) => new Reward(this, context);

    private void Called(string what, long step)
    {
        Calls.Enqueue($"{what} {step}");
        OnCall(what, step);
    }

    /// <summary>A call that reads published weights; what owns them must not be disposed before it ends.</summary>
    private T Reading<T>(Func<T> call)
    {
        Interlocked.Increment(ref reading);
        try
        {
            return call();
        }
        finally
        {
            Interlocked.Decrement(ref reading);
        }
    }

    private void DisposeOwner(string owner) =>
        Calls.Enqueue(Volatile.Read(ref reading) == 0 ? $"{owner} disposed" : $"{owner} disposed under a reader");

    private static string Hash(string text) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text)));

    /// <summary>A number in [0, 1) from a digest.</summary>
    private static double Number(string digest) => Convert.ToUInt32(digest[..8], 16) / 4294967296.0;

    /// <summary>Asserts the contract of thread-bound engines: one thread opens, calls and disposes.</summary>
    private abstract class OneThread : IDisposable
    {
        private readonly int thread = Environment.CurrentManagedThreadId;

        protected OneThread(FakeEngines fakes)
        {
            Fakes = fakes;
            Interlocked.Increment(ref fakes.open);
        }

        protected FakeEngines Fakes { get; }

        protected void Check()
        {
            if (thread != Environment.CurrentManagedThreadId)
                throw new InvalidOperationException($"{GetType().Name} was opened on thread {thread} and is used on {Environment.CurrentManagedThreadId}");
        }

        public virtual void Dispose()
        {
            Check();
            Interlocked.Decrement(ref Fakes.open);
        }
    }

    /// <summary>The live weights, and the last versions of them that steps are sampled and scored with.</summary>
    private sealed class Weights(int staleness)
    {
        private readonly ConcurrentDictionary<long, string> versions = new();

        public string Digest { get; private set; } = "";

        public string At(long version) => versions.TryGetValue(version, out var digest)
            ? digest
            : throw new InvalidOperationException($"version {version} is not held; held are {string.Join(", ", versions.Keys.Order())}");

        /// <summary>As real engines do: there is room for one version more than the staleness.</summary>
        public void Set(long version, string digest)
        {
            versions.TryRemove(version - 1 - staleness, out _);
            versions[version] = Digest = digest;
        }

        public void Save(string folder, string name, long version)
        {
            Write(Path.Combine(folder, name), Digest);
            foreach (var (older, digest) in versions.Where(v => v.Key < version && v.Key >= version - staleness))
                Write(Path.Combine(folder, $"{name}-{older}"), digest);
        }

        public void Load(string folder, string name, long version)
        {
            for (var older = Math.Max(0, version - staleness); older < version; older++)
                Set(older, Read(Path.Combine(folder, $"{name}-{older}")));
            Set(version, Read(Path.Combine(folder, name)));
        }
    }

    private sealed class Data(FakeEngines fakes, StageContext context) : OneThread(fakes), IDataEngine
    {
        public StepData Load(DataCursor from)
        {
            Check();
            Fakes.Called($"{context.Stage.Id} data", from.Document);
            var size = context.Stage.BatchSize;
            var to = new DataCursor(from.Document + size, 0);
            int[] Tokens(int i) => [.. Enumerable.Range(0, Fakes.PrefixTokens).Select(t => (int)((from.Document + i) * 7 + t) % 10)];
            return context.Stage.Rlp is null
                ? new StepData(from, to, [.. Enumerable.Range(0, size).Select(Tokens)], [])
                : new StepData(from, to, [], [.. Enumerable.Range(0, size).Select(i => new GroupPosition(i, Tokens(i), i % 10))]);
        }
    }

    private sealed class Learner : OneThread, ILearnerEngine
    {
        private readonly StageContext context;
        private readonly Weights policy;

        public Learner(FakeEngines fakes, StageContext context, CheckpointReference? checkpoint) : base(fakes)
        {
            this.context = context;
            Fakes.Called($"{context.Stage.Id} open-learner", checkpoint?.Step ?? -1);
            if (checkpoint is not null && Hash(File.ReadAllText(Path.Combine(checkpoint.Path, CheckpointFolder.Manifest))) != checkpoint.Sha256)
                throw new CheckpointException($"checkpoint {checkpoint.Path}: another manifest than the journaled one");
            policy = new Weights(context.Stage.Rlp?.Staleness ?? 0);
            PolicyVersion = checkpoint?.Stage == context.Stage.Id ? checkpoint.Step : 0;
            if (checkpoint is null)
                policy.Set(0, Hash($"seed {context.Recipe.Seed}"));
            else if (checkpoint.Stage == context.Stage.Id)
                policy.Load(checkpoint.Path, "policy", PolicyVersion);
            else
                policy.Set(0, Read(Path.Combine(checkpoint.Path, "policy")));
            Fakes.published[(context.RunId, "policy")] = policy;
        }

        public long PolicyVersion { get; private set; }

        public AppliedStep ApplyRlp(long step, IReadOnlyList<ScoredGroup> groups) => Apply(
            step, string.Join("|", groups.Select(g => $"{g.Position()} v{g.Sampled.PolicyVersion} {g.Sampled.ThoughtsSha256()} {string.Join(",", g.Rewards().Select(r => r.ToString("R", CultureInfo.InvariantCulture)))}")));

        public AppliedStep ApplyNtp(long step, IReadOnlyList<int[]> documents) => Apply(step, string.Join("|", documents.Select(d => string.Join(",", d))));

        public void WriteCheckpoint(string folder)
        {
            Check();
            Fakes.Called($"{context.Stage.Id} write", PolicyVersion);
            policy.Save(folder, "policy", PolicyVersion);
        }

        public CheckpointReference SealCheckpoint(string folder, long step, DataCursor cursor)
        {
            Check();
            Fakes.Called($"{context.Stage.Id} seal", step);
            var manifest = $"{{\"step\":{step},\"cursor\":\"{cursor}\"}}";
            File.WriteAllText(Path.Combine(folder, CheckpointFolder.Manifest), manifest);
            var final = CheckpointFolder.SealedPath(folder);
            if (Directory.Exists(final))
                Directory.Delete(final, recursive: true);
            Directory.Move(folder, final);
            return new CheckpointReference(context.Stage.Id, step, final, Hash(manifest));
        }

        public override void Dispose()
        {
            Fakes.DisposeOwner("learner");
            base.Dispose();
            Fakes.published.TryRemove(new((context.RunId, "policy"), policy));
        }

        private AppliedStep Apply(long step, string input)
        {
            Check();
            Fakes.Called($"{context.Stage.Id} learn", step);
            PolicyVersion++;
            policy.Set(PolicyVersion, Hash($"{policy.Digest} {step} {input}"));
            return new AppliedStep(step, PolicyVersion, Number(policy.Digest), 1 + Number(Hash(policy.Digest)), policy.Digest, new Dictionary<string, double> { ["loss"] = Number(policy.Digest) });
        }
    }

    private sealed class Teacher : OneThread, ITeacherEngine
    {
        private readonly StageContext context;
        private readonly Weights teacher;
        private long version;

        public Teacher(FakeEngines fakes, StageContext context, CheckpointReference? checkpoint) : base(fakes)
        {
            this.context = context;
            teacher = new Weights(context.Stage.Rlp!.Staleness);
            if (checkpoint?.Stage == context.Stage.Id)
                teacher.Load(checkpoint.Path, "teacher", version = checkpoint.Step);
            else
                teacher.Set(0, Fakes.Published(context.RunId, "policy").Digest);
            Fakes.published[(context.RunId, "teacher")] = teacher;
        }

        public void Update(WeightReference? policy = null)
        {
            Check();
            Fakes.Called($"{context.Stage.Id} ema", 0);
            teacher.Set(++version, Hash($"{teacher.Digest} {Fakes.Published(context.RunId, "policy").Digest}"));
        }

        public void WriteCheckpoint(string folder)
        {
            Check();
            teacher.Save(folder, "teacher", version);
        }

        public override void Dispose()
        {
            Fakes.DisposeOwner("teacher");
            base.Dispose();
            Fakes.published.TryRemove(new((context.RunId, "teacher"), teacher));
        }
    }

    private sealed class Rollout(FakeEngines fakes, StageContext context) : OneThread(fakes), IRolloutEngine
    {
        public IReadOnlyList<SampledGroup> Sample(long step, long policyVersion, IReadOnlyList<GroupPosition> positions, WeightReference? policy = null) =>
            Fakes.Reading(() => SampleNow(step, policyVersion, positions));

        private SampledGroup[] SampleNow(long step, long policyVersion, IReadOnlyList<GroupPosition> positions)
        {
            Check();
            Fakes.Called($"{context.Stage.Id} sample", step);
            var policy = Fakes.Published(context.RunId, "policy").At(policyVersion);
            return
            [
                .. positions.Select(p => new SampledGroup(p, [.. Enumerable.Range(0, context.Stage.Rlp!.GroupSize).Select(m => Thought(policy, step, p, m))])
                {
                    PolicyVersion = policyVersion,
                }),
            ];
        }

        public EvaluationResult Evaluate(int problems, WeightReference? policy = null)
        {
            Check();
            Fakes.Called($"{context.Stage.Id} evaluate", problems);
            var evaluated = Fakes.Published(context.RunId, "policy").Digest;
            return new EvaluationResult(Number(evaluated), 0.01, Number(Hash(evaluated)), 0.02, -0.5, -1.5, 4, [new EvaluationSample("1+2=", "3", "3", "3", -0.1, -2)]);
        }

        private SampledThought Thought(string policy, long step, GroupPosition position, int member)
        {
            var digest = Hash($"{policy} {step} {position.Group} {member} {string.Join(",", position.Prefix)}");
            int[] tokens = [.. Enumerable.Range(0, Fakes.ThoughtTokens).Select(i => digest[i % digest.Length] % 10)];
            return new SampledThought(tokens, [.. tokens.Select(t => -t / 10f)], member % 2 == 0, -Number(digest));
        }
    }

    private sealed class Reward(FakeEngines fakes, StageContext context) : OneThread(fakes), IRewardEngine
    {
        public double[] Score(long policyVersion, IReadOnlyList<GroupPosition> positions, WeightReference? teacher = null) => Fakes.Reading(() => ScoreNow(policyVersion, positions));

        private double[] ScoreNow(long policyVersion, IReadOnlyList<GroupPosition> positions)
        {
            Check();
            Fakes.Called($"{context.Stage.Id} score", 0);
            var teacher = Fakes.Published(context.RunId, "teacher").At(policyVersion);
            return [.. positions.Select(p => -1 - Number(Hash($"{teacher} {p.Group}")))];
        }
    }

    private static void Write(string path, string digest) => File.WriteAllText(path, $"{digest} {Hash(digest)}");

    private static string Read(string path)
    {
        var parts = File.ReadAllText(path).Split(' ');
        return parts.Length == 2 && Hash(parts[0]) == parts[1] ? parts[0] : throw new InvalidDataException($"{path} is damaged");
    }
}

internal static class ScoredGroupText
{
    public static string Position(this ScoredGroup group) => $"{group.Sampled.Position.Group}:{string.Join(",", group.Sampled.Position.Prefix)}>{group.Sampled.Position.NextToken}";
}
