using static TorchSharp.torch;

namespace Rlp.Models;

/// <summary>log p(next token | tokens so far) over the whole vocabulary, after each token of a sequence, as little-endian float32 [T, V].</summary>
public static class NextTokenLogProbabilities
{
    private const int LogitsAtOnce = 1 << 24; // elements: 64 MiB, however long the sequence and however large the vocabulary

    /// <summary>One teacher-forced pass; then the logits of as many positions at once as fit.</summary>
    /// <param name="ids">[T], not empty, inside the vocabulary.</param>
    /// <param name="progress">Positions written so far.</param>
    /// <param name="logitsAtOnce">Elements; at least one position is taken.</param>
    public static void Full(IDecoder decoder, long[] ids, Stream output, Action<int>? progress = null, int logitsAtOnce = LogitsAtOnce)
    {
        using var noGradient = no_grad();
        using var scope = NewDisposeScope();
        var hidden = decoder.Hidden(Row(decoder, ids)); // [1, T, hidden]
        var rows = Math.Max(1, logitsAtOnce / decoder.Config.VocabularySize);
        for (var begin = 0; begin < ids.Length; begin += rows)
        {
            var count = Math.Min(rows, ids.Length - begin);
            Write(decoder, hidden.narrow(1, begin, count), output);
            progress?.Invoke(begin + count);
        }
    }

    /// <summary>Token by token through the state, as sampling does it.</summary>
    /// <param name="ids">[T], not empty, inside the vocabulary.</param>
    /// <param name="progress">Positions written so far.</param>
    public static void Cached(IDecoder decoder, long[] ids, Stream output, Action<int>? progress = null)
    {
        using var noGradient = no_grad();
        using var state = decoder.NewState(1, ids.Length);
        for (var t = 0; t < ids.Length; t++)
        {
            using var scope = NewDisposeScope();
            Write(decoder, decoder.Hidden(Row(decoder, [ids[t]]), state), output);
            progress?.Invoke(t + 1);
        }
    }

    private static Tensor Row(IDecoder decoder, long[] ids) => tensor(ids, device: decoder.Parameters.Values.device).unsqueeze(0); // [1, T]

    /// <param name="hidden">[1, n, hidden].</param>
    private static void Write(IDecoder decoder, Tensor hidden, Stream output)
    {
        using var scope = NewDisposeScope();
        output.Write(nn.functional.log_softmax(decoder.Logits(hidden).to(float32), -1).cpu().contiguous().bytes); // [1, n, V]
    }
}
