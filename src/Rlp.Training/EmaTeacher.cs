using Rlp.Models;
using Rlp.Objective;
using static TorchSharp.torch;

namespace Rlp.Training;

/// <summary>The teacher phi: an EMA of the policy, initialised from it before the first step (steps 4 and 10 of Algorithm 1).</summary>
public sealed class EmaTeacher : IDisposable
{
    private readonly ParameterArena average; // float32: at tau = 0.999 a bfloat16 average would stand still
    private readonly double tau;

    /// <param name="dtype">What the network computes in; null: as the policy's arena.</param>
    public EmaTeacher(ParameterArena policy, double tau, ScalarType? dtype = null)
    {
        this.tau = tau;
        var device = policy.Values.device;
        average = new ParameterArena(policy.Layout, trainable: false, device);
        average.CopyFrom(policy);
        var computed = dtype ?? policy.Dtype;
        Parameters = computed == ScalarType.Float32 ? average : new ParameterArena(policy.Layout, trainable: false, device, computed);
        Round();
    }

    /// <summary>phi in the policy's type: what scores positions.</summary>
    public ParameterArena Parameters { get; }

    /// <summary>phi &lt;- tau phi + (1 - tau) theta.</summary>
    public void Update(ParameterArena policy)
    {
        ExponentialMovingAverage.Update(average.Master, policy.Master, tau);
        Round();
    }

    /// <summary>Writes phi in float32.</summary>
    public void Save(string path) => SafeTensors.Save(path, average);

    /// <exception cref="ModelFormatException">As <see cref="SafeTensors.Load(string, ParameterArena)"/>.</exception>
    public void Load(string path)
    {
        SafeTensors.Load(path, average);
        Round();
    }

    private void Round()
    {
        if (!ReferenceEquals(Parameters, average)) Parameters.CopyFrom(average);
    }

    public void Dispose()
    {
        Parameters.Dispose();
        average.Dispose();
    }
}
