using static TorchSharp.torch;

namespace Rlp.Objective;

/// <summary>Evidence: the log-probability, in nats, that a predictor gives to the observed next token x_t (PAPER.md section 2, steps 5 and 6).</summary>
public static class Evidence
{
    /// <summary>log softmax(logits)[target] for each row, without temperature and without masks.</summary>
    /// <param name="logits">[N, V].</param>
    /// <param name="nextTokens">[N], int64 token ids.</param>
    /// <returns>[N], at most 0.</returns>
    public static Tensor LogProbability(Tensor logits, Tensor nextTokens)
    {
        using var scope = NewDisposeScope();
        if (logits.dtype == ScalarType.BFloat16) logits = logits.to(float32); // a log-probability of 8 bits tells no thoughts apart
        var logProbabilities = nn.functional.log_softmax(logits, -1); // [N, V]
        return logProbabilities.gather(-1, nextTokens.unsqueeze(-1)).squeeze(-1).MoveToOuterDisposeScope();
    }
}
