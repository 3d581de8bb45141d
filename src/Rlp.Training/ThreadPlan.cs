using Rlp.Training.Recipes;

namespace Rlp.Training;

/// <summary>
/// Who gets how many threads of a node: the one place that decides it. Engines get the cores, since nothing else needs them for long; what keeps
/// the node alive in its cluster has threads of its own, so that it never waits in a queue behind other work.
/// </summary>
/// <param name="KernelThreads">Threads that compute at the same time, of all engines together; at least 1.</param>
/// <param name="EnginesAtOnce">Engines that compute at the same time: 1 where they take turns.</param>
public sealed record ThreadPlan(int KernelThreads, int EnginesAtOnce)
{
    private const int LeastPoolThreads = 8;

    /// <summary>Intra-op threads of libtorch for each engine, which runs on a thread of its own.</summary>
    public int IntraOp => Math.Max(1, KernelThreads / EnginesAtOnce);

    /// <summary>Of the thread pool, which the default dispatcher and the journal's database share: actors do not compute, but some wait.</summary>
    public int Pool => Math.Max(KernelThreads, LeastPoolThreads);

    /// <summary>
    /// Of each dispatcher that heartbeats pass: the cluster's and remoting's. One thread can be at work on gossip while the other answers.
    /// </summary>
    public int Heartbeats => 2;

    /// <param name="setting">node.threads: 0 takes all cores.</param>
    public static ThreadPlan Of(int setting) => new(setting > 0 ? setting : Environment.ProcessorCount, EnginesAtOnce: 1);

    /// <summary>The plan while a stage runs. On-policy steps sample, score and learn in turns; with staleness the sampler works beside the learner.</summary>
    public ThreadPlan For(StageSettings stage) => this with { EnginesAtOnce = EnginesAtOnceOf(stage) };

    private static int EnginesAtOnceOf(StageSettings stage) => stage.Rlp is { Staleness: > 0 } ? 2 : 1;
}
