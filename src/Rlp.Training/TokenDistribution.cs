using static TorchSharp.torch;

namespace Rlp.Training;

/// <summary>A chunk's distributions over the vocabulary and the log-probability that each gives to the token of its row.</summary>
internal sealed class TokenDistribution
{
    private readonly Tensor probabilities; // [c, V]
    private readonly Tensor tokens; // [c, 1]
    private readonly double temperature;

    private TokenDistribution(long begin, Tensor probabilities, Tensor tokens, Tensor logProbabilities, double temperature)
    {
        (Begin, this.probabilities, this.tokens, this.temperature) = (begin, probabilities, tokens, temperature);
        LogProbabilities = logProbabilities;
    }

    /// <summary>The chunk's first row.</summary>
    public long Begin { get; }

    /// <summary>[c], a leaf: a loss of it leaves its gradient here.</summary>
    public Tensor LogProbabilities { get; }

    /// <param name="distribution">log p, [c, V], owned by the caller's scope and used up.</param>
    public static TokenDistribution Of(long begin, Tensor distribution, Tensor tokens, double temperature)
    {
        var column = tokens.unsqueeze(-1);
        var chosen = distribution.gather(-1, column).squeeze(-1);
        return new TokenDistribution(
            begin, distribution.exp_().MoveToOuterDisposeScope(), column.MoveToOuterDisposeScope(),
            chosen.requires_grad_().MoveToOuterDisposeScope(), temperature);
    }

    /// <summary>-sum p log p of each row in nats, [c].</summary>
    public Tensor Entropy()
    {
        using var noGradient = no_grad();
        using var scope = NewDisposeScope();
        return special.entr(probabilities).sum(-1).MoveToOuterDisposeScope();
    }

    /// <summary>d loss / d logits = (1[v = token] - p_v) / temperature * d loss / d log p, [c, V]; takes the place of the probabilities.</summary>
    public Tensor LogitGradient()
    {
        var gradient = (LogProbabilities.grad ?? throw new InvalidOperationException("no loss of the log-probabilities was taken")) / temperature; // [c]
        return probabilities.mul_(gradient.neg().unsqueeze(-1)).scatter_add_(-1, tokens, gradient.unsqueeze(-1));
    }
}
