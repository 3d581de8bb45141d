using static TorchSharp.torch;

namespace Rlp.Models;

/// <summary>What one Mamba layer keeps of the past: the last inputs of its convolution and its recurrent state, zero before the first token.</summary>
internal sealed class MambaState : LayerState
{
    public MambaState(long batch, NemotronHConfig config, ScalarType dtype, Device device)
    {
        Window = zeros(batch, config.ConvolutionKernel - 1, config.ConvolutionWidth, dtype: dtype, device: device).DetachFromDisposeScope();
        var stateType = dtype == ScalarType.Float64 ? ScalarType.Float64 : ScalarType.Float32;
        Recurrent = zeros([batch, config.MambaHeads, config.MambaHeadDim, config.StateSize], dtype: stateType, device: device)
            .DetachFromDisposeScope();
    }

    private MambaState(Tensor window, Tensor recurrent) => (Window, Recurrent) = (window, recurrent);

    /// <summary>[B, kernel - 1, channels], the oldest first.</summary>
    public Tensor Window { get; private set; }

    /// <summary>[B, heads, headDim, state], at least float32.</summary>
    public Tensor Recurrent { get; private set; }

    public override IReadOnlyList<Tensor> Tensors => [Window, Recurrent];

    public override MambaState Fork(int times, int capacity) => new(
        Window.repeat_interleave(times, 0).DetachFromDisposeScope(), Recurrent.repeat_interleave(times, 0).DetachFromDisposeScope());

    public override void Keep(IReadOnlyList<int> rows) => (Window, Recurrent) = (Rows(Window, rows), Rows(Recurrent, rows));

    public override void Dispose()
    {
        Window.Dispose();
        Recurrent.Dispose();
    }
}
