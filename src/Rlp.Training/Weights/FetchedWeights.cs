using System.Diagnostics;
using Rlp.Models;
using TorchSharp;

namespace Rlp.Training.Weights;

/// <summary>
/// The arenas of this node for one name's weights that another node publishes: as many as versions are in use at a time, each filled by one fetch
/// however many engines ask for its version. Weights are known by their digest: the same version of another stage, or of another attempt, is another one.
/// </summary>
internal sealed class FetchedWeights(ArenaLayout layout, torch.ScalarType dtype, int versions, IWeightChannel channel, WeightTransferSettings settings) : IDisposable
{
    /// <summary>One arena; everything but the arena itself is under the lock.</summary>
    internal sealed class Slot
    {
        public ParameterArena Arena { get; set; } = null!;
        public Fetch? Content { get; set; }
        public int Readers { get; set; }
        public long LastRead { get; set; }
    }

    /// <summary>One version's way here: those who wait for it share its success and its failure.</summary>
    internal sealed class Fetch(WeightReference reference)
    {
        public WeightReference Reference => reference;
        public bool Whole { get; set; }
        public WeightTransferException? Failure { get; set; }
    }

    /// <summary>An engine call on one version may take minutes: an arena is waited for that long.</summary>
    private static readonly TimeSpan ArenaWithin = TimeSpan.FromMinutes(5);

    private readonly object gate = new();
    private readonly List<Slot> slots = [];
    private long clock;

    /// <summary>Readers that share these arenas; under the lock of <see cref="NodeWeights"/>.</summary>
    public int Sharers { get; set; }

    /// <summary>The arena of the weights, fetched where they are not here yet; the caller returns it.</summary>
    /// <exception cref="WeightTransferException">They did not come, or no arena became free for them.</exception>
    public Slot Acquire(WeightReference reference)
    {
        Slot slot;
        Fetch fetch;
        lock (gate)
        {
            var began = Stopwatch.GetTimestamp();
            while (true)
            {
                if (slots.Find(s => s.Content?.Reference.Sha256 == reference.Sha256) is { } here)
                {
                    var coming = here.Content!;
                    while (coming is { Whole: false, Failure: null }) Monitor.Wait(gate); // no longer than its attempts take
                    if (coming.Failure is { } failure) throw new WeightTransferException(failure.Message, failure) { Final = failure.Final };
                    if (!ReferenceEquals(here.Content, coming)) continue; // another version has the arena by now
                    here.Readers++;
                    here.LastRead = ++clock;
                    return here;
                }
                if (Free(began) is not { } free) continue;
                slot = free;
                break;
            }
            slot.Content = fetch = new Fetch(reference);
            slot.Readers = 1;
            slot.LastRead = ++clock;
        }
        try
        {
            slot.Arena ??= new ParameterArena(layout, trainable: false, dtype: dtype);
            WeightFetch.Into(slot.Arena, reference, channel, settings);
        }
        catch (Exception e)
        {
            lock (gate)
            {
                fetch.Failure = e as WeightTransferException ?? new WeightTransferException($"{reference}: {e.Message}", e);
                (slot.Content, slot.Readers) = (null, 0);
                Monitor.PulseAll(gate);
            }
            throw;
        }
        lock (gate)
        {
            fetch.Whole = true;
            Monitor.PulseAll(gate);
        }
        return slot;
    }

    public void Return(Slot slot)
    {
        lock (gate)
        {
            slot.Readers--;
            Monitor.PulseAll(gate);
        }
    }

    /// <summary>An arena that nobody reads; null after a wait for one.</summary>
    private Slot? Free(long began)
    {
        if (slots.Count < versions)
        {
            slots.Add(new Slot());
            return slots[^1];
        }
        var free = slots.Where(s => s.Readers == 0).ToArray();
        if (free.Length > 0)
        {
            // The oldest version, because later ones will be asked for; but what long nobody asked for is of an earlier life of the run.
            return free.Where(s => s.Content is null).Concat(free.Where(s => clock - s.LastRead > 8 * versions)).FirstOrDefault()
                ?? free.MinBy(s => s.Content!.Reference.Version)!;
        }
        var left = ArenaWithin - Stopwatch.GetElapsedTime(began);
        if (left <= TimeSpan.Zero || !Monitor.Wait(gate, left))
        {
            throw new WeightTransferException(
                $"no arena is free for more weights: {string.Join(", ", slots.Select(s => $"{s.Content?.Reference.Name} {s.Content?.Reference.Version}"))} are being read since {ArenaWithin}");
        }
        return null;
    }

    public void Dispose()
    {
        foreach (var slot in slots) slot.Arena?.Dispose();
    }
}
