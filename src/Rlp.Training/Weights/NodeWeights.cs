using System.Collections.Concurrent;
using Rlp.Models;
using TorchSharp;

namespace Rlp.Training.Weights;

/// <summary>
/// The weights that engines of one node publish and read: the learner its policy, the teacher its phi; rollout, reward and teacher read them. On
/// the publisher's node they are read by handle (zero copy), elsewhere they are fetched through the channel, once for the node and version. Safe
/// because an on-policy step never samples or scores while it learns; the run entity orders the calls. Where steps are sampled ahead, owners keep
/// older versions and those who sample and score read nothing else meanwhile.
/// </summary>
/// <param name="channel">To and from other nodes; null: this node reads and serves no other one.</param>
public sealed class NodeWeights(IWeightChannel? channel = null, WeightTransferSettings? settings = null)
{
    private readonly ConcurrentDictionary<(string Run, string Name), PublishedWeights> published = new();
    private readonly Dictionary<(string Run, string Name, long Length, torch.ScalarType Dtype, int Versions), FetchedWeights> fetched = [];

    /// <summary>Whether other nodes read what this one publishes.</summary>
    public bool Serves => channel is not null;

    internal WeightTransferSettings Settings { get; } = settings ?? new WeightTransferSettings();

    public void Publish(string runId, string name, PublishedWeights weights) => published[(runId, name)] = weights;

    /// <summary>Shows the weights no more, unless others are published under the name meanwhile.</summary>
    public void Withdraw(string runId, string name, PublishedWeights weights) => published.TryRemove(new((runId, name), weights));

    /// <summary>What this node itself publishes under the name; null where it does not.</summary>
    public PublishedWeights? Find(string runId, string name) => published.GetValueOrDefault((runId, name));

    /// <summary>The versions of its own that this node serves to others, oldest first.</summary>
    public IReadOnlyList<WeightReference> References(string runId, string name)
    {
        if (channel is null || Find(runId, name) is not { } weights) return [];
        var masters = Find(runId, WeightNames.MasterOf(name))?.Held.ToDictionary(h => h.Version, h => h.Sha256);
        return
        [
            .. weights.Held.Select(h => new WeightReference(runId, name, h.Version, channel.UrlOf(runId, name, h.Version), h.Sha256, weights.Bytes, channel.Node)
            {
                MasterSha256 = masters?.GetValueOrDefault(h.Version),
            }),
        ];
    }

    /// <summary>Opens a reader of a name for one engine, which disposes it.</summary>
    /// <param name="versions">Versions that are in use at a time: k + 1 with a staleness of k.</param>
    /// <param name="master">Reads the float32 weights where the network computes in bfloat16.</param>
    public WeightReader Reader(string runId, string name, ArenaLayout layout, torch.ScalarType dtype, int versions, bool master = false) =>
        new(this, runId, name, layout, master ? torch.ScalarType.Float32 : dtype, versions, master);

    /// <summary>The arenas that all readers of a name share; each caller releases them once.</summary>
    internal FetchedWeights Share(string runId, string name, ArenaLayout layout, torch.ScalarType dtype, int versions)
    {
        lock (fetched)
        {
            var key = (runId, name, layout.Length, dtype, versions);
            if (!fetched.TryGetValue(key, out var weights)) fetched.Add(key, weights = new FetchedWeights(layout, dtype, versions, channel!, Settings));
            weights.Sharers++;
            return weights;
        }
    }

    internal void Release(FetchedWeights weights)
    {
        lock (fetched)
        {
            if (--weights.Sharers > 0) return;
            fetched.Remove(fetched.Single(f => ReferenceEquals(f.Value, weights)).Key);
        }
        weights.Dispose();
    }
}
