using Rlp.Models;

namespace Rlp.Training.Weights;

/// <summary>
/// The last versions of a network's weights, each in an arena of its own: k + 1 of them for a staleness of k. Taking version v overwrites
/// version v - 1 - k, whose last user, the sampling of step v, is over by the time that step v is learned.
/// </summary>
public sealed class WeightHistory : IDisposable
{
    private readonly ParameterArena[] arenas;
    private readonly long[] versions;

    public WeightHistory(ParameterArena live, int staleness)
    {
        arenas = new ParameterArena[staleness + 1];
        for (var slot = 0; slot < arenas.Length; slot++)
            arenas[slot] = new ParameterArena(live.Layout, trainable: false, live.Values.device, live.Dtype);
        versions = [.. arenas.Select(_ => -1L)];
    }

    /// <summary>All arenas, whatever they hold.</summary>
    public IReadOnlyList<ParameterArena> Arenas => arenas;

    /// <summary>Whether a version takes the place of the other.</summary>
    public bool SharesArena(long version, long other) => version % arenas.Length == other % arenas.Length;

    /// <summary>Copies the weights as they are now; called by the thread that changes them, between two changes.</summary>
    public void Take(long version, ParameterArena weights) => Fill(version, arena => arena.CopyFrom(weights));

    /// <summary>Has one version's arena filled; nobody can ask for that version before it is whole.</summary>
    public void Fill(long version, Action<ParameterArena> fill)
    {
        var slot = version % arenas.Length;
        Volatile.Write(ref versions[slot], -1);
        fill(arenas[slot]);
        Volatile.Write(ref versions[slot], version);
    }

    /// <exception cref="InvalidOperationException">The version is not there yet or no more.</exception>
    public ParameterArena At(long version)
    {
        var slot = version % arenas.Length;
        return Volatile.Read(ref versions[slot]) == version
            ? arenas[slot]
            : throw new InvalidOperationException(
                $"policy version {version} is not held; held are {string.Join(", ", versions.Where(v => v >= 0).Order())}");
    }

    public void Dispose()
    {
        foreach (var arena in arenas) arena.Dispose();
    }
}
