using static TorchSharp.torch;

namespace Rlp.Models.Kernels;

/// <summary>All matrices of a <see cref="TransformerDecoder"/> as decoding reads them.</summary>
internal sealed unsafe class PackedWeights : IDisposable
{
    private readonly List<(PackedMatrix Packed, Tensor Weights)> matrices = [];

    public PackedWeights(TransformerDecoder decoder)
    {
        Layers = [.. Enumerable.Range(0, decoder.Config.Layers).Select(i => decoder.Layer(i)).Select(l =>
            (Add(l.Attention.Projection), Add(l.Attention.Output), Add(l.Mlp.GateUp), Add(l.Mlp.Down)))];
        Head = Add(decoder.HeadMatrix);
    }

    public IReadOnlyList<(PackedMatrix Projection, PackedMatrix Output, PackedMatrix GateUp, PackedMatrix Down)> Layers { get; }

    public PackedMatrix Head { get; }

    /// <summary>Takes the weights as they are now.</summary>
    public void Load()
    {
        foreach (var (packed, weights) in matrices) packed.Load(CpuKernels.Pointer(weights));
    }

    private PackedMatrix Add(Tensor weights)
    {
        var packed = new PackedMatrix((int)weights.shape[0], (int)weights.shape[1]);
        matrices.Add((packed, weights));
        return packed;
    }

    public void Dispose()
    {
        foreach (var (packed, _) in matrices) packed.Dispose();
    }
}
