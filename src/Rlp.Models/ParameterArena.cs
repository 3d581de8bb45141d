using System.Security.Cryptography;
using Rlp.Models.Weights;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Rlp.Models;

/// <summary>
/// All parameters of a network as views into one flat tensor, their gradients as views into a second (DESIGN.md section 3). Optimizer, EMA,
/// clipping, checkpoints and digests are then a few operations on contiguous memory.
/// </summary>
public sealed class ParameterArena : IDisposable
{
    private const long HashedAtOnce = 1 << 24; // elements: a span of bytes ends at 2 GiB

    private readonly Dictionary<string, Tensor> leaves = [];

    /// <param name="trainable">With gradients; a teacher or reference needs none.</param>
    /// <param name="dtype">float32 or bfloat16, of values and gradients.</param>
    public ParameterArena(ArenaLayout layout, bool trainable, Device? device = null, ScalarType dtype = ScalarType.Float32)
    {
        if (dtype is not (ScalarType.Float32 or ScalarType.BFloat16))
            throw new ArgumentException($"an arena is float32 or bfloat16, not {dtype}", nameof(dtype));
        Layout = layout;
        Values = zeros(layout.Length, dtype: dtype, device: device).DetachFromDisposeScope();
        Gradients = trainable ? zeros(layout.Length, dtype: dtype, device: device).DetachFromDisposeScope() : null;
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

    /// <summary>float32 or bfloat16.</summary>
    public ScalarType Dtype => Values.dtype;

    /// <summary>[Layout.Length], of <see cref="Dtype"/>.</summary>
    public Tensor Values { get; }

    /// <summary>[Layout.Length], of <see cref="Dtype"/>; null where nothing is trained.</summary>
    public Tensor? Gradients { get; }

    public Tensor this[string leaf] => leaves[leaf];

    /// <summary>The slot's part of the flat tensor, in the slot's shape; the caller disposes the view.</summary>
    public Tensor View(ArenaSlot slot)
    {
        using var flat = Values.narrow(0, slot.Offset, slot.Length);
        return flat.view(slot.Shape);
    }

    /// <summary>
    /// Gaussian matrices of standard deviation <paramref name="range"/>, vectors (norm weights) of ones; a function of the seed alone.
    /// </summary>
    public void Initialize(long seed, double range) => Initialize(seed, new InitializationSettings { Range = range });

    /// <summary>The initial values of <see cref="InitialValues"/>, rounded to the arena's type; a function of the seed alone.</summary>
    public void Initialize(long seed, InitializationSettings settings)
    {
        using var noGradient = no_grad();
        using var initial = new InitialValues(seed, settings);
        Values.zero_();
        foreach (var slot in Layout.Slots)
        {
            var offset = slot.Offset;
            foreach (var piece in initial.Pieces(slot))
            {
                using var view = Values.narrow(0, offset, piece.numel());
                view.copy_(piece);
                offset += piece.numel();
                piece.Dispose();
            }
        }
    }

    /// <summary>Takes the values of an arena of the same layout, converting where it has another type.</summary>
    public void CopyFrom(ParameterArena other)
    {
        using var noGradient = no_grad();
        Values.copy_(other.Values);
    }

    public void ZeroGradients() => Gradients?.zero_();

    /// <summary>Lower-case hexadecimal SHA-256 of the parameters' bytes.</summary>
    public string Sha256()
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        for (long i = 0; i < Values.numel(); i += HashedAtOnce)
        {
            using var part = Values.narrow(0, i, Math.Min(HashedAtOnce, Values.numel() - i));
            using var cpu = part.cpu();
            hash.AppendData(cpu.bytes);
        }
        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }

    public void Dispose()
    {
        foreach (var leaf in leaves.Values) leaf.Dispose();
        Gradients?.Dispose();
        Values.Dispose();
    }
}
