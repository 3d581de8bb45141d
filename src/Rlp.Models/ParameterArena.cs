using System.Security.Cryptography;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Rlp.Models;

/// <summary>
/// All parameters of a network as views into one flat tensor, their gradients as views into a second (DESIGN.md section 3). Optimizer, EMA,
/// clipping, checkpoints and digests are then a few operations on contiguous memory.
/// </summary>
public sealed class ParameterArena : IDisposable
{
    private readonly Dictionary<string, Tensor> leaves = [];

    /// <param name="trainable">With gradients; a teacher or reference needs none.</param>
    public ParameterArena(ArenaLayout layout, bool trainable, Device? device = null)
    {
        Layout = layout;
        Values = zeros(layout.Length, dtype: float32, device: device).DetachFromDisposeScope();
        Gradients = trainable ? zeros(layout.Length, dtype: float32, device: device).DetachFromDisposeScope() : null;
        foreach (var leaf in layout.Leaves)
        {
            using var scope = NewDisposeScope();
            var view = Values.narrow(0, leaf.Offset, leaf.Length).view(leaf.Shape);
            if (Gradients is null)
            {
                leaves[leaf.Name] = view.DetachFromDisposeScope();
                continue;
            }
            var parameter = new Parameter(view);
            parameter.grad = Gradients.narrow(0, leaf.Offset, leaf.Length).view(leaf.Shape);
            leaves[leaf.Name] = parameter.DetachFromDisposeScope();
        }
    }

    public ArenaLayout Layout { get; }

    /// <summary>[Layout.Length], float32.</summary>
    public Tensor Values { get; }

    /// <summary>[Layout.Length], float32; null where nothing is trained.</summary>
    public Tensor? Gradients { get; }

    public Tensor this[string leaf] => leaves[leaf];

    /// <summary>The slot's part of the flat tensor, in the slot's shape; the caller disposes the view.</summary>
    public Tensor View(ArenaSlot slot) => Values.narrow(0, slot.Offset, slot.Length).view(slot.Shape);

    /// <summary>Gaussian matrices of standard deviation <paramref name="range"/>, vectors (norm weights) of ones; a function of the seed alone.</summary>
    public void Initialize(long seed, double range)
    {
        using var noGradient = no_grad();
        using var scope = NewDisposeScope();
        using var generator = new Generator((ulong)seed);
        Values.zero_();
        foreach (var slot in Layout.Slots)
        {
            if (slot.Shape.Length == 1) View(slot).fill_(1);
            else View(slot).copy_(randn(slot.Shape, dtype: float32, generator: generator).mul_(range));
        }
    }

    public void CopyFrom(ParameterArena other)
    {
        using var noGradient = no_grad();
        Values.copy_(other.Values);
    }

    public void ZeroGradients() => Gradients?.zero_();

    /// <summary>Lower-case hexadecimal SHA-256 of the parameters' bytes.</summary>
    public string Sha256()
    {
        using var cpu = Values.cpu();
        return Convert.ToHexStringLower(SHA256.HashData(cpu.bytes));
    }

    public void Dispose()
    {
        foreach (var leaf in leaves.Values) leaf.Dispose();
        Gradients?.Dispose();
        Values.Dispose();
    }
}
