using System.Runtime.Intrinsics;

namespace Rlp.Models.Kernels;

/// <summary>One row of logits: its normaliser, and a token drawn by inverse transform.</summary>
internal static unsafe class SoftmaxKernel
{
    public const int BlockLength = 256;

    /// <summary>log sum exp of n logits.</summary>
    public static double LogSumExp(float* logits, int n)
    {
        var most = Floats.Max(logits, n);
        var shift = Vector512.Create(most);
        var sum = Vector512<float>.Zero;
        var i = 0;
        for (; i <= n - Floats.Width; i += Floats.Width) sum += Floats.Exp(Floats.Load(logits + i) - shift);
        double total = Vector512.Sum(sum);
        for (; i < n; i++) total += MathF.Exp(logits[i] - most);
        return most + Math.Log(total);
    }

    /// <summary>z = logits * scale + mask, which may be in the logits' place; returns the greatest.</summary>
    /// <param name="mask">Null: none.</param>
    public static float ScaleAndMask(float* logits, float scale, float* mask, float* z, int n)
    {
        var factor = Vector512.Create(scale);
        var most = Vector512.Create(float.NegativeInfinity);
        var i = 0;
        for (; i <= n - Floats.Width; i += Floats.Width)
        {
            var value = Vector512.FusedMultiplyAdd(Floats.Load(logits + i), factor, mask is null ? Vector512<float>.Zero : Floats.Load(mask + i));
            most = Vector512.Max(most, value);
            value.Store(z + i);
        }
        var result = Floats.Max(most);
        for (; i < n; i++) result = MathF.Max(result, z[i] = MathF.FusedMultiplyAdd(logits[i], scale, mask is null ? 0 : mask[i]));
        return result;
    }

    /// <summary>
    /// z becomes the unnormalised probabilities exp(z - most), <paramref name="blocks"/> their sums over blocks of 256; returns the sum of all in
    /// float64. A token whose logit is minus infinity has probability zero.
    /// </summary>
    public static double Weights(float* z, float most, double* blocks, int n)
    {
        var total = 0.0;
        for (int begin = 0, block = 0; begin < n; begin += BlockLength, block++)
            total += blocks[block] = Floats.ExpSum(z + begin, 1, most, Math.Min(BlockLength, n - begin));
        return total;
    }

    /// <summary>Blocks of n weights.</summary>
    public static int Blocks(int n) => (n + BlockLength - 1) / BlockLength;

    /// <summary>The token at <paramref name="uniform"/> of the cumulated weights: never one of weight zero.</summary>
    public static int Draw(float* weights, double* blocks, double total, double uniform, int n)
    {
        var rest = uniform * total;
        var block = 0;
        while (block < Blocks(n) - 1 && rest >= blocks[block]) rest -= blocks[block++];
        var last = -1;
        for (var i = block * BlockLength; i < n; i++)
        {
            if (weights[i] <= 0) continue;
            last = i;
            rest -= weights[i];
            if (rest < 0) return i;
        }
        // Rounding may leave a rest behind the last weight.
        while (last < 0 && --block >= 0)
            for (var i = (block + 1) * BlockLength - 1; i >= block * BlockLength && last < 0; i--)
                if (weights[i] > 0) last = i;
        return last;
    }
}
