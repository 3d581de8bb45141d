using static TorchSharp.torch;

namespace Rlp.Models;

/// <summary>What one token costs in a forward pass, for FLOP counts.</summary>
/// <param name="MatrixParameters">Weights that multiply a token: all matrices, a tied embedding once as the output head, a look-up not at all.</param>
/// <param name="AttentionWidth">Attention layers * heads * headDim: attention takes 4 FLOPs of it per pair of query and key.</param>
/// <param name="StateFlops">FLOPs per token that convolutions and recurrent states take.</param>
public readonly record struct DecoderCosts(long MatrixParameters, long AttentionWidth, long StateFlops);

/// <summary>
/// A causal language model over the parameters of an arena, whatever its architecture. It holds no weights of its own; policy and teacher are two
/// arenas of one layout.
/// </summary>
public interface IDecoder : IDisposable
{
    DecoderConfig Config { get; }

    ParameterArena Parameters { get; }

    DecoderCosts Costs { get; }

    /// <summary>Random parameters as the architecture begins with; a function of the seed alone.</summary>
    void Initialize(long seed);

    /// <summary>Final hidden states of right-padded sequences, with gradient; no real position sees the padding.</summary>
    /// <param name="tokens">[B, T] int64.</param>
    /// <returns>[B, T, hidden], normalised.</returns>
    Tensor Hidden(Tensor tokens);

    /// <summary>An empty state for rows of at most <paramref name="capacity"/> tokens; the caller disposes it.</summary>
    DecoderState NewState(long batch, long capacity);

    /// <summary>
    /// Final hidden states of the next tokens of every row, given and extending the state, without gradient: a prefix at once or in pieces, or
    /// one token after the other.
    /// </summary>
    /// <param name="tokens">[B, T] int64. The first tokens may be left-padded, see <paramref name="padding"/>.</param>
    /// <param name="padding">Padding tokens at the left of each row; only for an empty state. Null: none.</param>
    /// <returns>[B, T, hidden], normalised; meaningless where a token is padding.</returns>
    /// <exception cref="InvalidOperationException">The state has no room for the tokens.</exception>
    Tensor Hidden(Tensor tokens, DecoderState state, int[]? padding = null);

    /// <summary>Logits over the vocabulary for hidden states [..., hidden]: [..., V].</summary>
    Tensor Logits(Tensor hidden);
}
