using Rlp.Corpora;

namespace Rlp.Training.Sampling;

/// <summary>What a random number is drawn for; keeps the counters of different uses apart.</summary>
public enum NoisePurpose
{
    Thought = 1,
    EvaluationThought = 2,
    EvaluationAnswer = 3,
    EvaluationNothinkAnswer = 4,
}

/// <summary>
/// Counter-based sampling noise: each number is a function of (run seed, purpose, step, group, member, token index) alone, so a thought does
/// not depend on which node, thread or batch slot sampled it (DESIGN.md section 3).
/// </summary>
public static class SamplingNoise
{
    /// <returns>Uniform in [0, 1), a multiple of 2^-53.</returns>
    /// <param name="step">Below 2^48.</param>
    /// <param name="group">Below 2^24.</param>
    /// <param name="member">Below 2^16.</param>
    /// <param name="token">Below 2^24.</param>
    public static double Uniform(long seed, NoisePurpose purpose, long step, int group, int member, int token)
    {
        var high = ((ulong)purpose << 48) | (ulong)step;
        var low = ((ulong)(uint)group << 40) | ((ulong)(uint)member << 24) | (uint)token;
        var (a, b, _, _) = Philox.Block((ulong)seed, low, high);
        return (((ulong)a << 32 | b) >> 11) * (1.0 / (1UL << 53));
    }
}
