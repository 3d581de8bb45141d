using static TorchSharp.torch;

namespace Rlp.Objective;

/// <summary>Group-relative advantages (eq. 7).</summary>
public static class Advantages
{
    /// <summary>
    /// A_i = G/(G-1) * (r_i - mean r): equal to r_i minus the mean of the OTHER rewards of its group (RLOO). Not divided by a standard deviation.
    /// </summary>
    /// <param name="rewards">[B, G] with G at least 2.</param>
    /// <returns>[B, G], each row summing to zero; carries no gradient.</returns>
    /// <exception cref="ArgumentException">Fewer than two thoughts in a group: there is no other thought to compare with.</exception>
    public static Tensor LeaveOneOut(Tensor rewards)
    {
        var groupSize = rewards.shape[^1];
        if (groupSize < 2)
            throw new ArgumentException($"a group needs at least 2 thoughts for a leave-one-out baseline, found {groupSize}; raise rlp.group-size", nameof(rewards));
        using var noGradient = no_grad();
        using var scope = NewDisposeScope();
        var mean = rewards.mean([-1], keepdim: true); // [B, 1]
        return (rewards - mean).Times(groupSize / (groupSize - 1.0)).MoveToOuterDisposeScope();
    }
}
