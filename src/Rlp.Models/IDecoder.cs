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

    /// <summary>
    /// Whether a pass with gradient keeps only each layer's input and computes the layer again in the backward pass: a third more work for activations
    /// of one layer instead of all.
    /// </summary>
    bool RecomputesActivations { get; set; }

    /// <summary>Random parameters as the architecture begins with; a function of the seed alone.</summary>
    void Initialize(long seed);

    /// <summary>Final hidden states of packed sequences, with gradient.</summary>
    /// <returns>[M, hidden], normalised.</returns>
    Tensor Hidden(PackedSequences tokens);

    /// <summary>The same for sequences of one length: [B, T] int64 to [B, T, hidden].</summary>
    Tensor Hidden(Tensor tokens);

    /// <summary>An empty state for rows of at most <paramref name="capacity"/> tokens; the caller disposes it.</summary>
    DecoderState NewState(int rows, int capacity);

    /// <summary>
    /// Final hidden states of the next tokens of every row, given and extending the state, without gradient: a prefix at once or in pieces.
    /// </summary>
    /// <param name="tokens">A sequence for each row of the state.</param>
    /// <returns>[M, hidden], normalised.</returns>
    /// <exception cref="InvalidOperationException">The state has no room for the tokens.</exception>
    Tensor Hidden(PackedSequences tokens, DecoderState state);

    /// <summary>The same for as many tokens of every row: [rows, T] int64 to [rows, T, hidden].</summary>
    Tensor Hidden(Tensor tokens, DecoderState state);

    /// <summary>
    /// Logits over the token after the given one of every row, extending the state, without gradient: one step of decoding.
    /// </summary>
    /// <param name="tokens">[rows] int64.</param>
    /// <returns>[rows, V]; belongs to the state, and is gone with its next call.</returns>
    /// <exception cref="InvalidOperationException">The state has no room for another token.</exception>
    Tensor Decode(Tensor tokens, DecoderState state);

    /// <summary>Logits over the vocabulary for hidden states [..., hidden]: [..., V].</summary>
    Tensor Logits(Tensor hidden);
}
