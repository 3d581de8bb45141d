using Rlp.Models;
using static TorchSharp.torch;

namespace Rlp.Training.Weights;

/// <summary>
/// What an owner shows of its weights: to readers of its node the arenas themselves, to those of other nodes their bytes. On-policy that is the
/// live arena; where steps are sampled ahead, the last versions in a <see cref="WeightHistory"/>.
/// </summary>
/// <remarks>
/// An arena changes in place while a straggler on another node may still be served from it. Three things keep torn weights from anybody:
/// <list type="number">
/// <item>A version is removed from <c>held</c> before the first byte of its arena changes, and entered after the last one has; both under the lock.
/// A piece is copied under the same lock and only while its version is held. So no copy overlaps a change: what the owner wrote before it entered
/// a version happens before any copy of it, and every copy happens before the removal, which happens before the owner's next write.</item>
/// <item>A transfer of many pieces that loses its version between two of them ends there: the server cuts the connection.</item>
/// <item>The reader compares the SHA-256 of what came with that of the version, and nobody sees the arena before.</item>
/// </list>
/// The owner waits for the lock no longer than one piece takes to copy. Disposal takes the lock too: no copy reads freed memory.
/// </remarks>
public sealed class PublishedWeights : IDisposable
{
    private readonly ParameterArena live;
    private readonly WeightHistory? history;
    private readonly bool master;
    private readonly bool served;
    private readonly Lock gate = new();
    private readonly SortedDictionary<long, string> held = []; // version -> SHA-256, "" where nobody but this node reads

    /// <param name="live">What the owner changes; stays the owner's.</param>
    /// <param name="staleness">k: k older versions are kept beside the newest.</param>
    /// <param name="served">Whether other nodes read too: then each version has a digest.</param>
    /// <param name="master">Serves <see cref="ParameterArena.Master"/> instead of <see cref="ParameterArena.Values"/>.</param>
    public PublishedWeights(ParameterArena live, int staleness, bool served, bool master = false)
    {
        (this.live, this.served, this.master) = (live, served, master);
        if (staleness > 0) history = new WeightHistory(live, staleness);
        Bytes = live.Layout.Length * (master ? live.Master : live.Values).element_size();
    }

    /// <summary>Length of one version as it is served.</summary>
    public long Bytes { get; }

    /// <summary>float32 or bfloat16, as served.</summary>
    public ScalarType Dtype => (master ? live.Master : live.Values).dtype;

    /// <summary>The versions that are whole, oldest first.</summary>
    public IReadOnlyList<(long Version, string Sha256)> Held
    {
        get
        {
            lock (gate) return [.. held.Select(h => (h.Key, h.Value))];
        }
    }

    /// <summary>The live arena is about to change. On-policy nothing is held from now until the next <see cref="Take"/>.</summary>
    public void Change()
    {
        if (history is not null) return; // others read copies
        lock (gate) held.Clear();
    }

    /// <summary>The live arena holds a new version; called by the thread that changes it, between two changes.</summary>
    /// <param name="masterSha256">The digest of <see cref="ParameterArena.Master"/> where it is known; null: it is computed where it is needed.</param>
    public void Take(long version, string? masterSha256 = null)
    {
        if (history is not null) Overwrite(version, h => h.Take(version, live));
        Enter(version, Digest(live, masterSha256));
    }

    /// <summary>Has an older version filled, as a checkpoint holds it.</summary>
    public void Restore(long version, Action<ParameterArena> fill)
    {
        Overwrite(version, h => h.Fill(version, fill));
        Enter(version, Digest(history!.At(version), null));
    }

    /// <summary>
    /// The arena of a version, or of the newest (null), for readers on this node. On-policy it is the live one whatever the version: the run entity
    /// orders the calls.
    /// </summary>
    /// <exception cref="InvalidOperationException">The version is not there yet or no more.</exception>
    public ParameterArena At(long? version) => history is null || version is null ? live : history.At(version.Value);

    /// <summary>True where the version is whole and has this digest.</summary>
    public bool Holds(long version, string sha256)
    {
        lock (gate) return sha256.Length > 0 && held.TryGetValue(version, out var digest) && digest == sha256;
    }

    /// <summary>Copies a piece of a version, element-aligned; false where the version with this digest is not held (any more).</summary>
    public bool TryCopy(long version, string sha256, long offset, Span<byte> into)
    {
        lock (gate)
        {
            if (sha256.Length == 0 || !held.TryGetValue(version, out var digest) || digest != sha256) return false;
            var arena = history?.At(version) ?? live;
            (master ? arena.Master : arena.Values).CopyBytesTo(offset, into);
            return true;
        }
    }

    private void Overwrite(long version, Action<WeightHistory> change)
    {
        lock (gate)
        {
            foreach (var gone in held.Keys.Where(v => history!.SharesArena(v, version)).ToArray()) held.Remove(gone);
        }
        change(history!);
    }

    private void Enter(long version, string sha256)
    {
        lock (gate)
        {
            if (history is null) held.Clear();
            held[version] = sha256;
        }
    }

    private string Digest(ParameterArena arena, string? masterSha256)
    {
        if (!served) return "";
        if (master || ReferenceEquals(arena.Master, arena.Values)) return masterSha256 ?? arena.Sha256();
        return arena.ValuesSha256();
    }

    public void Dispose()
    {
        lock (gate) held.Clear();
        history?.Dispose();
    }
}
