using Rlp.Objective;
using static TorchSharp.torch;

namespace Rlp.Models;

/// <summary>
/// The recurrence of Mamba-2 (Dao and Gu 2024), per head with a scalar decay: h_t = exp(dt_t a) h_{t-1} + dt_t x_t B_t^T, y_t = h_t C_t.
/// B and C are shared by the heads of a group.
/// </summary>
internal static class StateSpaceScan
{
    /// <summary>
    /// Whole sequences in chunks: within a chunk the recurrence is written out as a masked product, as attention is, and only the states at the
    /// borders of chunks are carried on (section 6 of the paper). All heavy work is matrix products.
    /// </summary>
    /// <param name="x">[B, T, H, P].</param>
    /// <param name="dt">[B, T, H], zero where a token is to leave the state alone.</param>
    /// <param name="a">[H], below zero.</param>
    /// <param name="b">[B, T, G, N].</param>
    /// <param name="c">[B, T, G, N].</param>
    /// <param name="initial">[B, H, P, N]; null: zero.</param>
    /// <param name="chunk">Tokens of a chunk; any number, the result is the same up to rounding.</param>
    /// <returns>y [B, T, H, P] and the state after the last token [B, H, P, N].</returns>
    public static (Tensor Y, Tensor State) Chunked(Tensor x, Tensor dt, Tensor a, Tensor b, Tensor c, Tensor? initial, int chunk)
    {
        long batch = x.shape[0], length = x.shape[1], heads = x.shape[2], dim = x.shape[3], groups = b.shape[2], size = b.shape[3];
        var perGroup = heads / groups;
        var step = Math.Min(chunk, length);
        var chunks = (length + step - 1) / step;
        if (chunks * step > length)
        {
            var missing = (chunks * step) - length; // a token with dt = 0 changes nothing
            x = nn.functional.pad(x, [0, 0, 0, 0, 0, missing]);
            dt = nn.functional.pad(dt, [0, 0, 0, missing]);
            b = nn.functional.pad(b, [0, 0, 0, 0, 0, missing]);
            c = nn.functional.pad(c, [0, 0, 0, 0, 0, missing]);
        }

        // Sums of decays in float64: their differences are taken, and in float32 those of a long chunk would have few digits left.
        var decays = (dt * a).to(float64).reshape(batch, chunks, step, heads).transpose(2, 3).cumsum(-1); // [B, c, H, l]
        var inputs = (x * dt.unsqueeze(-1)).reshape(batch, chunks, step, heads, dim).transpose(2, 3); // [B, c, H, l, P]
        b = b.reshape(batch, chunks, step, groups, size).transpose(2, 3); // [B, c, G, l, N]
        c = c.reshape(batch, chunks, step, groups, size).transpose(2, 3);

        // What the tokens of a chunk give to one another: exp(sum of decays between them) * (C_t . B_s), s <= t.
        var scores = c.matmul(b.transpose(-1, -2)); // [B, c, G, l, l]
        var between = Between(decays, x.dtype).reshape(batch, chunks, groups, perGroup, step, step);
        var y = (between * scores.unsqueeze(3)).reshape(batch, chunks, heads, step, step).matmul(inputs); // [B, c, H, l, P]

        // What each chunk adds to the state, and the state that each chunk finds.
        var total = decays.narrow(-1, step - 1, 1); // [B, c, H, 1]
        var kept = (inputs * (total - decays).exp().to(x.dtype).unsqueeze(-1)).transpose(-1, -2).reshape(batch, chunks, groups, perGroup * dim, step);
        var added = kept.matmul(b).reshape(batch, chunks, heads, dim * size).transpose(1, 2); // [B, H, c, P * N]
        if (chunks == 1 && initial is null) return (Rows(y), added.reshape(batch, heads, dim, size));
        var first = (initial ?? zeros([batch, heads, dim, size], dtype: x.dtype, device: x.device)).reshape(batch, heads, 1, dim * size);
        var borders = nn.functional.pad(total.squeeze(-1).transpose(1, 2), [1, 0]).cumsum(-1); // [B, H, c + 1]
        var states = Between(borders, x.dtype).matmul(cat([first, added], 2)); // [B, H, c + 1, P * N]
        var found = states.narrow(2, 0, chunks).transpose(1, 2).reshape(batch, chunks, groups, perGroup * dim, size);
        var carried = c.matmul(found.transpose(-1, -2)).reshape(batch, chunks, groups, step, perGroup, dim).transpose(3, 4) // [B, c, G, H / G, l, P]
            .reshape(batch, chunks, heads, step, dim);
        y = y.Plus(carried * decays.exp().to(x.dtype).unsqueeze(-1));
        return (Rows(y), states.select(2, chunks).reshape(batch, heads, dim, size));

        Tensor Rows(Tensor chunked) => chunked.transpose(2, 3).reshape(batch, chunks * step, heads, dim).narrow(1, 0, length);
    }

    /// <summary>One token: the recurrence itself, the state changed in place.</summary>
    /// <param name="x">[B, H, P].</param>
    /// <param name="dt">[B, H].</param>
    /// <param name="a">[H].</param>
    /// <param name="b">[B, G, N].</param>
    /// <param name="c">[B, G, N].</param>
    /// <param name="state">[B, H, P, N].</param>
    /// <returns>y [B, H, P].</returns>
    public static Tensor Step(Tensor x, Tensor dt, Tensor a, Tensor b, Tensor c, Tensor state)
    {
        long batch = x.shape[0], heads = x.shape[1], dim = x.shape[2], groups = b.shape[1], size = b.shape[2];
        state.mul_((dt * a).exp().view(batch, heads, 1, 1));
        var grouped = state.view(batch, groups, heads / groups * dim, size);
        grouped.PlusProductInPlace((x * dt.unsqueeze(-1)).reshape(batch, groups, heads / groups * dim, 1), b.unsqueeze(2));
        return grouped.matmul(c.unsqueeze(-1)).reshape(batch, heads, dim);
    }

    /// <summary>exp(sums_t - sums_s) for s &lt;= t, else 0: [..., T] to [..., T, T].</summary>
    private static Tensor Between(Tensor sums, ScalarType dtype)
    {
        var length = sums.shape[^1];
        var later = ones(length, length, dtype: @bool, device: sums.device).triu(1);
        return (sums.unsqueeze(-1) - sums.unsqueeze(-2)).to(dtype).MaskFilledInPlace(later, double.NegativeInfinity).exp_();
    }
}
