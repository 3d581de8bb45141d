using Rlp.Models;
using Rlp.Objective;

namespace Rlp.Training;

/// <summary>The teacher phi: an EMA of the policy, initialised from it before the first step (steps 4 and 10 of Algorithm 1).</summary>
public sealed class EmaTeacher : IDisposable
{
    private readonly ParameterArena policy;
    private readonly double tau;

    public EmaTeacher(ParameterArena policy, double tau)
    {
        (this.policy, this.tau) = (policy, tau);
        Parameters = new ParameterArena(policy.Layout, trainable: false, policy.Values.device);
        Parameters.CopyFrom(policy);
    }

    public ParameterArena Parameters { get; }

    public void Update() => ExponentialMovingAverage.Update(Parameters.Values, policy.Values, tau);

    public void Dispose() => Parameters.Dispose();
}
