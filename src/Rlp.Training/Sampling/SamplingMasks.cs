using Rlp.Models.Kernels;
using Rlp.Models.Tokenizers;
using static TorchSharp.torch;

namespace Rlp.Training.Sampling;

/// <summary>
/// Which tokens a thought may hold at which place, as additive masks [3, V]; sampler and learner use the same ones, or old and new
/// log-probabilities would not belong to one distribution (PAPER.md, traps).
/// </summary>
public sealed class SamplingMasks : IDisposable
{
    /// <summary>The first tokens: not the end marker, for a thought is never empty.</summary>
    public const int First = 0;

    /// <summary>Any token but padding and the begin marker.</summary>
    public const int Middle = 1;

    /// <summary>The last token that the length limit allows: only the end marker.</summary>
    public const int Forced = 2;

    private readonly Tensor rows;

    /// <param name="modelVocabularySize">V, the rows of the model's output; at least the tokenizer's vocabulary, often more.</param>
    /// <exception cref="ArgumentException">The model has no row for some tokens.</exception>
    public SamplingMasks(ITokenizer tokenizer, int modelVocabularySize, Device? device = null)
    {
        using var scope = NewDisposeScope();
        var masks = Tokens(tokenizer, modelVocabularySize).expand(3, modelVocabularySize).clone();
        if (tokenizer.Padding != tokenizer.EndThought) masks[.., tokenizer.Padding] = float.NegativeInfinity;
        masks[.., tokenizer.BeginThought] = float.NegativeInfinity;
        masks[First, tokenizer.EndThought] = float.NegativeInfinity;
        masks[Forced] = float.NegativeInfinity;
        masks[Forced, tokenizer.EndThought] = 0;
        rows = masks.to(device ?? CPU).MoveToOuterDisposeScope().DetachFromDisposeScope();
    }

    /// <summary>Zero for the tokens of the vocabulary, minus infinity for the model's other rows, which are no text: [V].</summary>
    /// <exception cref="ArgumentException">The model has no row for some tokens.</exception>
    public static Tensor Tokens(ITokenizer tokenizer, int modelVocabularySize)
    {
        if (modelVocabularySize < tokenizer.VocabularySize)
            throw new ArgumentException(
                $"the model has a vocabulary of {modelVocabularySize}, the tokenizer one of {tokenizer.VocabularySize}; "
                + "take the tokenizer that the model was trained with", nameof(modelVocabularySize));
        return tensor(Enumerable.Range(0, modelVocabularySize).Select(id => tokenizer.Holds(id) ? 0f : float.NegativeInfinity).ToArray());
    }

    /// <summary>Which mask rules the token at an index of a thought of so many tokens.</summary>
    public static int RowAt(int index, int minimum, int maximum) => index == maximum - 1 ? Forced : index < minimum - 1 ? First : Middle;

    /// <summary>[V].</summary>
    public Tensor Row(int row) => rows[row];

    /// <summary>The same where the host can read it.</summary>
    internal unsafe float* Address(int row) => CpuKernels.Pointer(rows) + (row * rows.shape[1]);

    /// <summary>The masks that rule M tokens, by their indices [M].</summary>
    internal TokenMask Mask(Tensor indices) => new(rows, indices);

    public void Dispose() => rows.Dispose();
}
