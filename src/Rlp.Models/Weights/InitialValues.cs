using Rlp.Objective;
using static TorchSharp.torch;

namespace Rlp.Models.Weights;

/// <summary>
/// The initial values of a network's tensors, a function of the seed and the order of the slots alone. The only place that has the rules:
/// an arena in memory and a folder written piece by piece start from the same bits.
/// </summary>
/// <remarks>
/// Matrices are Gaussian, norms are ones, biases are zeros. Of a Mamba-2 mixer (Dao and Gu 2024, as in Hugging Face's NemotronH): A_log is
/// log(1..heads), D is ones, softplus(dt_bias) is log-uniform, the short convolution is uniform within 1/sqrt(kernel).
/// </remarks>
internal sealed class InitialValues(long seed, InitializationSettings settings) : IDisposable
{
    private const int VectorBlock = 16; // libtorch's generator fills blocks of 16 and draws the last 16 anew where they are no whole block

    private readonly Generator generator = new((ulong)seed);

    /// <summary>
    /// The slot's elements in order, flat, float32; the caller disposes each. Every slot of a layout is asked for once, in the layout's
    /// order.
    /// </summary>
    public IEnumerable<Tensor> Pieces(ArenaSlot slot)
    {
        long begin = 0;
        while (begin < slot.Length)
        {
            var count = Math.Min(SafeTensorsFile.Piece, slot.Length - begin);
            if (slot.Length - begin - count < VectorBlock) count = slot.Length - begin; // so that the pieces are the bits of one call
            yield return Piece(slot, begin, count);
            begin += count;
        }
    }

    private Tensor Piece(ArenaSlot slot, long begin, long count)
    {
        using var noGradient = no_grad();
        using var scope = NewDisposeScope();
        var name = slot.Name[(slot.Name.LastIndexOf('.') + 1)..];
        var values = name switch
        {
            "A_log" => Tensor.Range(count, float32).PlusInPlace(begin + 1).log(),
            "dt_bias" => InverseSoftplusOfTimeStep(count),
            "bias" => zeros(count, dtype: float32),
            _ when slot.Name.EndsWith("conv1d.weight", StringComparison.Ordinal) => Uniform(count).TimesInPlace(2).PlusInPlace(-1).TimesInPlace(1 / Math.Sqrt(slot.Shape[^1])),
            _ when slot.Shape.Length == 1 => ones(count, dtype: float32),
            _ => randn([count], dtype: float32, generator: generator).TimesInPlace(Deviation(slot)),
        };
        return values.MoveToOuterDisposeScope();
    }

    private double Deviation(ArenaSlot slot) =>
        settings.RescaledLayers is { } layers && slot.Name.EndsWith("mixer.out_proj.weight", StringComparison.Ordinal)
            ? settings.Range / Math.Sqrt(layers)
            : settings.Range;

    private Tensor Uniform(long count) => rand([count], dtype: float32, generator: generator);

    /// <summary>x = dt + log(1 - exp(-dt)) has softplus(x) = dt.</summary>
    private Tensor InverseSoftplusOfTimeStep(long count)
    {
        var (min, max, floor) = settings.TimeStep;
        var dt = Uniform(count).TimesInPlace(Math.Log(max) - Math.Log(min)).PlusInPlace(Math.Log(min)).exp_().AtLeastInPlace(floor);
        return dt.Plus(dt.neg().expm1().neg().log());
    }

    public void Dispose() => generator.Dispose();
}
