using System.Security.Cryptography;
using Rlp.Models.Weights;
using Rlp.Objective;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Rlp.Models;

/// <summary>
/// All parameters of a network as views into one flat tensor, their gradients as views into a second (DESIGN.md section 3). Optimizer, EMA,
/// clipping, checkpoints and digests are then a few operations on contiguous memory.
/// </summary>
/// <remarks>
/// A trained bfloat16 arena computes in bfloat16 and keeps the parameters themselves in float32 (Micikevicius et al. 2018): an update below
/// 1/256 of a weight would be rounded away. The gradients of its leaves are bfloat16 too and are gathered in float32 after each backward pass.
/// </remarks>
public sealed class ParameterArena : IDisposable
{
    private const long HashedAtOnce = 1 << 24; // elements: a span of bytes ends at 2 GiB

    private readonly Dictionary<string, Tensor> leaves = [];
    private readonly Tensor? leafGradients; // [Layout.Length], of Dtype: what backward passes add to

    /// <param name="trainable">With gradients; a teacher or reference needs none.</param>
    /// <param name="dtype">float32 or bfloat16: what the network computes in.</param>
    public ParameterArena(ArenaLayout layout, bool trainable, Device? device = null, ScalarType dtype = ScalarType.Float32)
    {
        if (dtype is not (ScalarType.Float32 or ScalarType.BFloat16))
            throw new ArgumentException($"an arena is float32 or bfloat16, not {dtype}", nameof(dtype));
        Layout = layout;
        Values = zeros(layout.Length, dtype: dtype, device: device).DetachFromDisposeScope();
        Master = Values;
        if (trainable)
        {
            leafGradients = zeros(layout.Length, dtype: dtype, device: device).DetachFromDisposeScope();
            Gradients = leafGradients;
            if (dtype != ScalarType.Float32)
            {
                Master = zeros(layout.Length, dtype: ScalarType.Float32, device: device).DetachFromDisposeScope();
                Gradients = zeros(layout.Length, dtype: ScalarType.Float32, device: device).DetachFromDisposeScope();
            }
        }
        foreach (var leaf in layout.Leaves)
        {
            using var scope = NewDisposeScope();
            var view = Values.narrow(0, leaf.Offset, leaf.Length).view(leaf.Shape);
            if (leafGradients is null)
            {
                leaves[leaf.Name] = view.DetachFromDisposeScope();
                continue;
            }
            var parameter = new Parameter(view);
            parameter.grad = leafGradients.narrow(0, leaf.Offset, leaf.Length).view(leaf.Shape);
            leaves[leaf.Name] = parameter.DetachFromDisposeScope();
        }
    }

    public ArenaLayout Layout { get; }

    /// <summary>float32 or bfloat16: what the network computes in.</summary>
    public ScalarType Dtype => Values.dtype;

    /// <summary>[Layout.Length], of <see cref="Dtype"/>: what the network computes with.</summary>
    public Tensor Values { get; }

    /// <summary>
    /// [Layout.Length]: the parameters themselves, which optimizer, digest and checkpoint are about. float32 where the arena is trained, else
    /// <see cref="Values"/>; whoever writes to it calls <see cref="RoundMaster"/>.
    /// </summary>
    public Tensor Master { get; }

    /// <summary>
    /// [Layout.Length], float32: the sum over the backward passes since <see cref="ZeroGradients"/>, each followed by
    /// <see cref="GatherGradients"/>; null where nothing is trained.
    /// </summary>
    public Tensor? Gradients { get; }

    public Tensor this[string leaf] => leaves[leaf];

    /// <summary>The slot's part of <see cref="Master"/>, in the slot's shape; the caller disposes the view.</summary>
    public Tensor View(ArenaSlot slot)
    {
        using var flat = Master.narrow(0, slot.Offset, slot.Length);
        return flat.view(slot.Shape);
    }

    /// <summary>The leaf's part of <see cref="Gradients"/>, in the leaf's shape; the caller disposes the view.</summary>
    /// <exception cref="InvalidOperationException">Nothing is trained.</exception>
    public Tensor Gradient(ArenaLeaf leaf)
    {
        using var flat = (Gradients ?? throw new InvalidOperationException("the arena has no gradients")).narrow(0, leaf.Offset, leaf.Length);
        return flat.view(leaf.Shape);
    }

    /// <summary>Makes the values those of <see cref="Master"/>, to the nearest of their type and to even at ties.</summary>
    public void RoundMaster()
    {
        if (ReferenceEquals(Master, Values)) return;
        using var noGradient = no_grad();
        Values.copy_(Master);
    }

    /// <summary>
    /// Adds what backward passes left in the leaves to <see cref="Gradients"/>. Called after each of them, so that no sum over micro-batches is
    /// taken in bfloat16.
    /// </summary>
    public void GatherGradients()
    {
        if (leafGradients is null || ReferenceEquals(leafGradients, Gradients)) return;
        using var noGradient = no_grad();
        Gradients!.PlusInPlace(leafGradients);
        leafGradients.zero_();
    }

    /// <summary>
    /// Gaussian matrices of standard deviation <paramref name="range"/>, vectors (norm weights) of ones; a function of the seed alone.
    /// </summary>
    public void Initialize(long seed, double range) => Initialize(seed, new InitializationSettings { Range = range });

    /// <summary>The values of <see cref="InitialValues"/>, in the type of <see cref="Master"/>; a function of the seed alone.</summary>
    public void Initialize(long seed, InitializationSettings settings)
    {
        using var noGradient = no_grad();
        using var initial = new InitialValues(seed, settings);
        Master.zero_();
        foreach (var slot in Layout.Slots)
        {
            var offset = slot.Offset;
            foreach (var piece in initial.Pieces(slot))
            {
                using var view = Master.narrow(0, offset, piece.numel());
                view.copy_(piece);
                offset += piece.numel();
                piece.Dispose();
            }
        }
        RoundMaster();
    }

    /// <summary>Takes the values of an arena of the same layout, converting where it has another type.</summary>
    public void CopyFrom(ParameterArena other)
    {
        using var noGradient = no_grad();
        Master.copy_(other.Master);
        RoundMaster();
    }

    public void ZeroGradients()
    {
        Gradients?.zero_();
        if (!ReferenceEquals(leafGradients, Gradients)) leafGradients?.zero_();
    }

    /// <summary>Lower-case hexadecimal SHA-256 of the bytes of <see cref="Master"/>.</summary>
    public string Sha256() => Digest(Master);

    /// <summary>Lower-case hexadecimal SHA-256 of the bytes of <see cref="Values"/>.</summary>
    public string ValuesSha256() => Digest(Values);

    private static string Digest(Tensor flat)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        for (long i = 0; i < flat.numel(); i += HashedAtOnce)
        {
            using var part = flat.narrow(0, i, Math.Min(HashedAtOnce, flat.numel() - i));
            using var cpu = part.cpu();
            hash.AppendData(cpu.bytes);
        }
        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }

    public void Dispose()
    {
        foreach (var leaf in leaves.Values) leaf.Dispose();
        leafGradients?.Dispose();
        Gradients?.Dispose();
        Master.Dispose();
        Values.Dispose();
    }
}
