using Rlp.Models.Tokenizers;
using static TorchSharp.torch;

namespace Rlp.Training;

/// <summary>
/// Which tokens a thought may hold at which place, as additive masks [3, V]; sampler and learner use the same ones, or old and new
/// log-probabilities would not belong to one distribution (PAPER.md, traps).
/// </summary>
public sealed class SamplingMasks : IDisposable
{
    /// <summary>The first token: not the end marker, for a thought is never empty.</summary>
    public const int First = 0;

    /// <summary>Any token but padding and the begin marker.</summary>
    public const int Middle = 1;

    /// <summary>The last token that the length limit allows: only the end marker.</summary>
    public const int Forced = 2;

    private readonly Tensor rows;

    public SamplingMasks(ITokenizer tokenizer, Device? device = null)
    {
        using var scope = NewDisposeScope();
        var masks = zeros(3, tokenizer.VocabularySize, dtype: float32);
        masks[.., tokenizer.Padding] = float.NegativeInfinity;
        masks[.., tokenizer.BeginThought] = float.NegativeInfinity;
        masks[First, tokenizer.EndThought] = float.NegativeInfinity;
        masks[Forced] = float.NegativeInfinity;
        masks[Forced, tokenizer.EndThought] = 0;
        rows = masks.to(device ?? CPU).MoveToOuterDisposeScope().DetachFromDisposeScope();
    }

    /// <summary>Which mask rules the token at an index of a thought of at most <paramref name="maxThoughtTokens"/> tokens.</summary>
    public static int RowAt(int index, int maxThoughtTokens) => index == maxThoughtTokens - 1 ? Forced : index == 0 ? First : Middle;

    /// <summary>[V].</summary>
    public Tensor Row(int row) => rows[row];

    /// <summary>One mask for each of M tokens: [M, V].</summary>
    public Tensor Rows(Tensor indices) => rows.index_select(0, indices);

    public void Dispose() => rows.Dispose();
}
