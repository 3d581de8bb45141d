using System.Buffers;

namespace Rlp.Models.Tokenizers;

/// <summary>
/// The merges of a byte-pair or score-driven vocabulary: which two neighbours become which token, and how early. Applies, again and again,
/// the merge of lowest rank, the leftmost one among equals.
/// </summary>
internal sealed class MergeTable
{
    private const int ShortLength = 40; // below it, scanning beats a queue
    private readonly Dictionary<ulong, (int Rank, int Id)> merges;

    public MergeTable(int capacity) => merges = new Dictionary<ulong, (int Rank, int Id)>(capacity);

    /// <summary>A pair that is set twice keeps the later rank, as in the reference library.</summary>
    public void Set(int left, int right, int rank, int id) => merges[Key(left, right)] = (rank, id);

    /// <summary>Merges in place; the result is the first part of the span.</summary>
    /// <returns>Its length.</returns>
    public int Merge(Span<int> symbols) => symbols.Length < ShortLength ? MergeShort(symbols) : MergeLong(symbols);

    private int MergeShort(Span<int> symbols)
    {
        var count = symbols.Length;
        Span<int> ranks = stackalloc int[ShortLength]; // of the pair that begins at each symbol
        for (var i = 0; i + 1 < count; i++) ranks[i] = Rank(symbols[i], symbols[i + 1]);
        while (count > 1)
        {
            var best = 0;
            for (var i = 1; i + 1 < count; i++)
                if (ranks[i] < ranks[best]) best = i;
            if (ranks[best] == int.MaxValue) break;
            symbols[best] = merges[Key(symbols[best], symbols[best + 1])].Id;
            count--;
            symbols[(best + 2)..(count + 1)].CopyTo(symbols[(best + 1)..]);
            if (best + 1 < count) ranks[(best + 2)..(count + 1)].CopyTo(ranks[(best + 1)..]);
            if (best + 1 < count) ranks[best] = Rank(symbols[best], symbols[best + 1]);
            if (best > 0) ranks[best - 1] = Rank(symbols[best - 1], symbols[best]);
        }
        return count;
    }

    private int MergeLong(Span<int> symbols)
    {
        var links = ArrayPool<int>.Shared.Rent(2 * symbols.Length);
        var next = links.AsSpan(0, symbols.Length); // symbols.Length: none
        var previous = links.AsSpan(symbols.Length, symbols.Length); // -1: none
        var queue = new PriorityQueue<(int Left, int Right), ulong>(symbols.Length); // the pair as it was when queued
        for (var i = 0; i < symbols.Length; i++) (next[i], previous[i]) = (i + 1, i - 1);
        for (var i = 0; i + 1 < symbols.Length; i++) Queue(queue, symbols, i, i + 1);
        while (queue.TryDequeue(out var pair, out var priority))
        {
            int at = (int)(uint)priority, right = symbols[at] < 0 ? symbols.Length : next[at];
            if (symbols[at] != pair.Left || right == symbols.Length || symbols[right] != pair.Right) continue; // merged meanwhile
            symbols[at] = merges[Key(pair.Left, pair.Right)].Id;
            symbols[right] = -1;
            next[at] = next[right];
            if (next[at] < symbols.Length)
            {
                previous[next[at]] = at;
                Queue(queue, symbols, at, next[at]);
            }
            if (previous[at] >= 0) Queue(queue, symbols, previous[at], at);
        }
        var count = 0;
        foreach (var symbol in symbols)
            if (symbol >= 0) symbols[count++] = symbol;
        ArrayPool<int>.Shared.Return(links);
        return count;
    }

    private void Queue(PriorityQueue<(int Left, int Right), ulong> queue, ReadOnlySpan<int> symbols, int left, int right)
    {
        if (merges.TryGetValue(Key(symbols[left], symbols[right]), out var merge))
            queue.Enqueue((symbols[left], symbols[right]), ((ulong)(uint)merge.Rank << 32) | (uint)left);
    }

    private int Rank(int left, int right) => merges.TryGetValue(Key(left, right), out var merge) ? merge.Rank : int.MaxValue;

    private static ulong Key(int left, int right) => ((ulong)(uint)left << 32) | (uint)right;
}
