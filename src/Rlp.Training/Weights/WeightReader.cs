using Rlp.Models;
using TorchSharp;

namespace Rlp.Training.Weights;

/// <summary>One engine's way to the weights of a name, wherever they are published. Used by the engine's thread alone.</summary>
public sealed class WeightReader : IDisposable
{
    private readonly NodeWeights node;
    private readonly string runId;
    private readonly string name;
    private readonly ArenaLayout layout;
    private readonly torch.ScalarType dtype;
    private readonly int versions;
    private readonly bool master;
    private FetchedWeights? fetched;

    internal WeightReader(NodeWeights node, string runId, string name, ArenaLayout layout, torch.ScalarType dtype, int versions, bool master)
    {
        (this.node, this.runId, this.name, this.layout, this.dtype) = (node, runId, name, layout, dtype);
        (this.versions, this.master) = (versions, master);
    }

    /// <summary>The weights of a version, unchanged until the reading is disposed.</summary>
    /// <param name="version">Null: the newest.</param>
    /// <param name="reference">Where they are published; null: on this node.</param>
    /// <exception cref="InvalidOperationException">This node publishes none, or no such version, and no reference says who does.</exception>
    /// <exception cref="WeightTransferException">They did not come, or not whole.</exception>
    public WeightReading Read(long? version, WeightReference? reference)
    {
        var own = node.Find(runId, name);
        var byHandle = own is not null && (reference is null || own.Holds(reference.Version, reference.Sha256));
        if (byHandle && node is { Settings.FetchOwn: true, Serves: true })
        {
            reference ??= node.References(runId, name).LastOrDefault(r => version is null || r.Version == version);
            byHandle = reference is null;
        }
        if (byHandle) return new WeightReading(own!.At(reference?.Version ?? version), null, null);
        if (reference is null)
            throw new InvalidOperationException($"run '{runId}' has published no '{name}' on this node, and nothing says on which; open the engine that owns it first");
        if (!node.Serves)
            throw new WeightTransferException($"{reference} cannot be fetched: this node has no endpoint (node.http-port)") { Final = true };
        var wanted = master ? reference.Master : reference;
        fetched ??= node.Share(runId, wanted.Name, layout, dtype, versions);
        var slot = fetched.Acquire(wanted);
        return new WeightReading(slot.Arena, fetched, slot);
    }

    public void Dispose()
    {
        if (fetched is not null) node.Release(fetched);
        fetched = null;
    }
}

/// <summary>Weights in the hands of a reader.</summary>
public readonly struct WeightReading : IDisposable
{
    private readonly FetchedWeights? fetched;
    private readonly FetchedWeights.Slot? slot;

    internal WeightReading(ParameterArena arena, FetchedWeights? fetched, FetchedWeights.Slot? slot) =>
        (Arena, this.fetched, this.slot) = (arena, fetched, slot);

    /// <summary>One of few: the same arena comes back with other weights.</summary>
    public ParameterArena Arena { get; }

    public void Dispose()
    {
        if (slot is not null) fetched!.Return(slot);
    }
}
