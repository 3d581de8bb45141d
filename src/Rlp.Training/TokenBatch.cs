using static TorchSharp.torch;

namespace Rlp.Training;

/// <summary>Sequences of different lengths in one rectangle of token ids.</summary>
internal static class TokenBatch
{
    /// <summary>[B, longest] int64, padded at the right.</summary>
    public static Tensor RightPadded(IReadOnlyList<int[]> sequences, int padding, Device device)
    {
        var longest = sequences.Max(s => s.Length);
        var ids = new long[sequences.Count * longest];
        Array.Fill(ids, padding);
        for (var row = 0; row < sequences.Count; row++)
            for (var i = 0; i < sequences[row].Length; i++) ids[(row * longest) + i] = sequences[row][i];
        return tensor(ids, [sequences.Count, longest], device: device);
    }

    /// <summary>Consecutive runs of sequences that hold at most so many tokens together (at least one sequence each).</summary>
    public static IEnumerable<(int Start, int Count)> Split(IReadOnlyList<int> lengths, int tokens)
    {
        for (var start = 0; start < lengths.Count;)
        {
            var count = 1;
            for (long total = lengths[start]; start + count < lengths.Count && (total += lengths[start + count]) <= tokens;) count++;
            yield return (start, count);
            start += count;
        }
    }

    /// <summary>Consecutive runs of sequences whose padded rectangle holds at most <paramref name="tokens"/> tokens (at least one sequence each).</summary>
    public static IEnumerable<(int Start, int Count)> Split(IReadOnlyList<int[]> sequences, int tokens)
    {
        for (var start = 0; start < sequences.Count;)
        {
            int count = 0, longest = 0;
            while (start + count < sequences.Count)
            {
                var next = Math.Max(longest, sequences[start + count].Length);
                if (count > 0 && (long)next * (count + 1) > tokens) break;
                longest = next;
                count++;
            }
            yield return (start, count);
            start += count;
        }
    }
}
