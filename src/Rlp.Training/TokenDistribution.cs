using System.Runtime.Intrinsics;
using Rlp.Models.Kernels;
using Rlp.Objective;
using TorchSharp;
using static TorchSharp.torch;

namespace Rlp.Training;

/// <summary>A chunk's distributions over the vocabulary and the log-probability that each gives to the token of its row.</summary>
internal sealed class TokenDistribution
{
    private const int Lanes = Floats.Width, Block = 1024;
    private const float Lowest = -200; // e^-200 is zero, and zero times it is not NaN as zero times minus infinity would be

    private readonly Tensor weights; // [c, V]: probabilities up to the factor of their row
    private readonly Tensor totals; // [c, 1]
    private readonly Tensor tokens; // [c, 1]
    private readonly double temperature;

    private TokenDistribution(long begin, Tensor weights, Tensor totals, Tensor tokens, Tensor logProbabilities, Tensor entropies, double temperature)
    {
        (Begin, this.weights, this.totals, this.tokens, this.temperature) = (begin, weights, totals, tokens, temperature);
        (LogProbabilities, Entropies) = (logProbabilities.requires_grad_(), entropies);
    }

    /// <summary>The chunk's first row.</summary>
    public long Begin { get; }

    /// <summary>[c], a leaf: a loss of it leaves its gradient here.</summary>
    public Tensor LogProbabilities { get; }

    /// <summary>-sum p log p of each row in nats, [c].</summary>
    public Tensor Entropies { get; }

    /// <summary>softmax(logits / temperature + mask) of each row: in one pass on a CPU, by tensor operations elsewhere.</summary>
    /// <param name="logits">[c, V] float32, contiguous; used up.</param>
    /// <param name="tokens">[c] int64.</param>
    /// <param name="mask">Which tokens each row allows; null: all.</param>
    public static TokenDistribution Of(long begin, Tensor logits, Tensor tokens, double temperature, TokenMask? mask) =>
        logits.device_type == DeviceType.CPU
            ? Fused(begin, logits, tokens, temperature, mask)
            : ByOperations(begin, logits, tokens, temperature, mask);

    internal static TokenDistribution ByOperations(long begin, Tensor logits, Tensor tokens, double temperature, TokenMask? mask)
    {
        using var noGradient = no_grad();
        using var scope = NewDisposeScope();
        logits = logits.Over(temperature);
        if (mask is not null) logits = logits.PlusInPlace(mask.Masks.index_select(0, mask.Rows));
        var distribution = nn.functional.log_softmax(logits, -1); // [c, V]
        var column = tokens.unsqueeze(-1);
        var chosen = distribution.gather(-1, column).squeeze(-1);
        var probabilities = distribution.exp_();
        return new TokenDistribution(
            begin, probabilities, ones_like(column, dtype: float32), column, chosen, special.entr(probabilities).sum(-1), temperature)
            .MoveToOuterScope();
    }

    internal static unsafe TokenDistribution Fused(long begin, Tensor logits, Tensor tokens, double temperature, TokenMask? mask)
    {
        using var noGradient = no_grad();
        using var scope = NewDisposeScope();
        var values = CpuKernels.Pointer(logits);
        var masks = mask is null ? null : CpuKernels.Pointer(mask.Masks);
        long[] chosenTokens = [.. tokens.data<long>()], maskRows = mask is null ? [] : [.. mask.Rows.data<long>()];
        int rows = (int)logits.shape[0], width = (int)logits.shape[1];
        float[] totals = new float[rows], logProbabilities = new float[rows], entropies = new float[rows];
        NativeThreads.For(rows, 1, (from, to) =>
        {
            for (var row = from; row < to; row++)
                (totals[row], logProbabilities[row], entropies[row]) = Row(
                    values + (row * width), masks is null ? null : masks + (maskRows[row] * width), (float)(1 / temperature), width, chosenTokens[row]);
        });
        return new TokenDistribution(
            begin, logits.alias(), tensor(totals).unsqueeze(-1), tokens.unsqueeze(-1), tensor(logProbabilities), tensor(entropies), temperature)
            .MoveToOuterScope();
    }

    /// <summary>d loss / d logits = (1[v = token] - p_v) / temperature * d loss / d log p, [c, V]; takes the place of the distribution.</summary>
    public Tensor LogitGradient()
    {
        var gradient = LogProbabilities.grad ?? throw new InvalidOperationException("no loss of the log-probabilities was taken"); // [c]
        var column = gradient.Over(temperature).unsqueeze(-1);
        return weights.mul_(column.neg() / totals).scatter_add_(-1, tokens, column);
    }

    /// <summary>Makes weights exp(z - max z) of a row of scores, z = scale * score + mask.</summary>
    /// <returns>The weights' sum, log p of the token, and the entropy.</returns>
    private static unsafe (float Total, float LogProbability, float Entropy) Row(float* scores, float* mask, float scale, int width, long token)
    {
        var max = SoftmaxKernel.ScaleAndMask(scores, scale, mask, scores, width);
        var vectors = width - (width % Lanes);
        var chosen = scores[token] - max;
        double total = 0, weighted = 0; // sum of e^d, and of d e^d, d = z - max
        for (var begin = 0; begin < vectors; begin += Block)
        {
            Vector512<float> sum = default, product = default; // float32 is exact enough for a block
            for (var i = begin; i < Math.Min(vectors, begin + Block); i += Lanes)
            {
                var d = Vector512.Max(Vector512.Load(scores + i) - Vector512.Create(max), Vector512.Create(Lowest));
                var e = Floats.Exp(d);
                e.Store(scores + i);
                sum += e;
                product += d * e;
            }
            total += Vector512.Sum(sum);
            weighted += Vector512.Sum(product);
        }
        for (var i = vectors; i < width; i++)
        {
            var d = MathF.Max(scores[i] - max, Lowest);
            scores[i] = MathF.Exp(d);
            total += scores[i];
            weighted += d * scores[i];
        }
        var log = Math.Log(total);
        return ((float)total, (float)(chosen - log), (float)(log - (weighted / total)));
    }

    private TokenDistribution MoveToOuterScope()
    {
        foreach (var tensor in new[] { weights, totals, tokens, LogProbabilities, Entropies }) tensor.MoveToOuterDisposeScope();
        return this;
    }
}
