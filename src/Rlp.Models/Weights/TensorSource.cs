using static TorchSharp.torch;

namespace Rlp.Models.Weights;

/// <summary>A tensor that is to be written, made piece by piece so that none needs to be in memory as a whole.</summary>
/// <param name="Dtype">What it is written as; pieces of another type are converted, to the nearest value and to even at ties.</param>
/// <param name="Pieces">Its elements in order, as flat tensors. Enumerated once; who enumerates disposes each piece before the
/// next.</param>
public sealed record TensorSource(string Name, long[] Shape, ScalarType Dtype, Func<IEnumerable<Tensor>> Pieces)
{
    public long Elements => Shape.Aggregate(1L, (a, b) => a * b);

    public long Bytes => Elements * TensorType.BytesOf(Dtype);

    /// <summary>A tensor in memory, in its own type; it stays the caller's.</summary>
    public static TensorSource Of(string name, Tensor tensor) => new(name, tensor.shape, tensor.dtype, () => Split(tensor));

    /// <summary>The parameters of an arena under their Hugging Face names, in the type of <see cref="ParameterArena.Master"/>.</summary>
    public static IReadOnlyList<TensorSource> Of(ParameterArena arena) =>
        [.. arena.Layout.Slots.Select(slot => new TensorSource(slot.Name, slot.Shape, arena.Master.dtype, () => Split(arena, slot)))];

    private static IEnumerable<Tensor> Split(ParameterArena arena, ArenaSlot slot)
    {
        using var view = arena.View(slot);
        foreach (var piece in Split(view)) yield return piece;
    }

    private static IEnumerable<Tensor> Split(Tensor tensor)
    {
        using var contiguous = tensor.contiguous();
        using var flat = contiguous.view(-1);
        for (long i = 0; i < flat.numel(); i += SafeTensorsFile.Piece)
            yield return flat.narrow(0, i, Math.Min(SafeTensorsFile.Piece, flat.numel() - i));
    }
}
