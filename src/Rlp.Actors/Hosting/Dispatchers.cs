using Rlp.Training;

namespace Rlp.Actors.Hosting;

/// <summary>
/// The dispatchers of a node. What heartbeats pass, and each engine, have threads of their own; the other actors share the .NET thread pool, which
/// grows when something in it blocks (the journal's database does).
/// </summary>
public static class Dispatchers
{
    /// <summary>Of the cluster's actors, heartbeats among them.</summary>
    public const string Cluster = "rlp-cluster-dispatcher";

    /// <summary>Of remoting, which carries heartbeats to other nodes.</summary>
    public const string Remote = "rlp-remote-dispatcher";

    /// <summary>One thread for each engine, kept for all its calls.</summary>
    public const string Engine = "rlp-engine-dispatcher";

    internal static string Hocon(ThreadPlan plan) => $$"""
        {{Engine}} { type = PinnedDispatcher, executor = fork-join-executor, throughput = 1 }
        {{Cluster}} {{Own(plan.Heartbeats)}}
        {{Remote}} {{Own(plan.Heartbeats)}}
        akka {
          cluster.use-dispatcher = {{Cluster}}
          remote.use-dispatcher = {{Remote}}
        }
        """;

    /// <summary>The pool has its threads from the start: it would add those beyond the cores one by one, half a second apart.</summary>
    internal static void FillPool(ThreadPlan plan)
    {
        ThreadPool.GetMinThreads(out var workers, out var completions);
        ThreadPool.SetMinThreads(Math.Max(workers, plan.Pool), completions);
    }

    private static string Own(int threads) =>
        $"{{ type = ForkJoinDispatcher, executor = fork-join-executor, throughput = 30, "
        + $"dedicated-thread-pool {{ thread-count = {threads}, threadtype = background }} }}";
}
