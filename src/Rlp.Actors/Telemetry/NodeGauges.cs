using System.Diagnostics.Metrics;
using Akka.Cluster;
using Rlp.Actors.Hosting;
using Rlp.Actors.Nodes;

namespace Rlp.Actors.Telemetry;

/// <summary>What a started node shows of its cluster and its disk, looked up when somebody asks.</summary>
internal sealed class NodeGauges : IDisposable
{
    private readonly Meter meter = new(NodeTelemetry.Name);

    public NodeGauges(Cluster cluster, NodeOptions options)
    {
        ShowCounters();
        meter.CreateObservableGauge("rlp.cluster.members", () => Members(cluster), description: "Members of the cluster as this node sees it; state: up, unreachable, other");
        meter.CreateObservableGauge(
            "rlp.disk.free", () => new DriveInfo(Path.GetFullPath(options.RunsFolder)).AvailableFreeSpace, "By", "Free space where the runs folder lies");
    }

    public void Dispose() => meter.Dispose();

    /// <summary>Counts of what seldom happens are shown before it does: a counter that appears with its first event shows no growth.</summary>
    private static void ShowCounters()
    {
        NodeTelemetry.JournalFailures.Add(0);
        NodeTelemetry.Refusals.Add(0);
        NodeTelemetry.WeightBytes.Add(0);
    }

    private static IEnumerable<Measurement<int>> Members(Cluster cluster)
    {
        var state = cluster.State;
        var (up, unreachable) = (ClusterNodes.Available(cluster).Count(), state.Unreachable.Count);
        yield return new(up, new KeyValuePair<string, object?>("state", "up"));
        yield return new(unreachable, new KeyValuePair<string, object?>("state", "unreachable"));
        yield return new(Math.Max(0, state.Members.Count - up - unreachable), new KeyValuePair<string, object?>("state", "other"));
    }
}
