using static TorchSharp.torch;

namespace Rlp.Models;

/// <summary>What is the same in every layer of one call: where its tokens stand, which keys each of them sees, which of them are padding.</summary>
internal sealed class ForwardPlan
{
    /// <param name="tokens">[B, T].</param>
    /// <param name="dtype">Of the activations.</param>
    public ForwardPlan(Tensor tokens, DecoderState? state, ScalarType dtype)
    {
        var count = (int)tokens.shape[1];
        var padded = state?.PaddingCounts is not null;
        First = state?.Length ?? 0;
        Last = First + count - 1;
        Causal = count > 1 && First == 0 && !padded;
        if (!padded && (Causal || count == 1)) return;

        var device = tokens.device;
        var queries = arange(First, First + count, dtype: int64, device: device); // slots in the state
        var keys = arange(First + count, dtype: int64, device: device);
        var visible = keys.unsqueeze(0) <= queries.unsqueeze(1); // [T, keys]
        if (state?.PaddingCounts is { } padding)
        {
            Positions = (queries.unsqueeze(0) - padding.unsqueeze(1)).clamp_min(0); // [B, T]
            // A padding token sees itself, or its softmax over nothing would be NaN and spread.
            var real = (keys.unsqueeze(0) >= padding.unsqueeze(1)).unsqueeze(1); // [B, 1, keys]
            var self = keys.unsqueeze(0).eq(queries.unsqueeze(1)); // [T, keys]
            visible = visible.logical_and(real.logical_or(self)).unsqueeze(1); // [B, 1, T, keys]
            if (First < state.Padding.Max()) Real = (queries.unsqueeze(0) >= padding.unsqueeze(1)).to(dtype).unsqueeze(-1);
        }
        Mask = zeros(visible.shape, dtype: dtype, device: device).masked_fill_(visible.logical_not(), float.NegativeInfinity);
    }

    /// <summary>Position of the first token where all rows agree.</summary>
    public int First { get; }

    public int Last { get; }

    /// <summary>[B, T] where rows are padded differently, else null.</summary>
    public Tensor? Positions { get; }

    /// <summary>Additive, broadcast to [B, heads, T, keys]; null where <see cref="Causal"/> or everything is visible.</summary>
    public Tensor? Mask { get; }

    public bool Causal { get; }

    /// <summary>[B, T, 1], one for a token and zero for padding at the left; null where there is no padding among the tokens.</summary>
    public Tensor? Real { get; }
}
