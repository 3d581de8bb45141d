using System.Numerics;
using Rlp.Models.Kernels;
using Rlp.Objective;
using TorchSharp;
using static TorchSharp.torch;

namespace Rlp.Models;

/// <summary>
/// One token of every row of a forked state on CUDA, recorded and replayed: a layer is some fifty operations, and to issue them takes the host longer
/// than the device needs to do them. So that the same operations serve every token, they look at a window of the rows' own keys, masked behind the
/// token; where it is full, a longer one is recorded.
/// </summary>
internal sealed class RecordedDecoding : IDisposable
{
    private const int ShortestWindow = 64; // tokens

    private readonly TransformerDecoder decoder;
    private readonly DecoderState state;
    private readonly Tensor firstKeys; // of the first layer: others when rows were given up
    private readonly CudaStream stream = CudaStream.Rent();
    private readonly List<Tensor> kept = [];
    private readonly ForkedRows forked;
    private readonly Tensor tokens; // [N]
    private readonly Tensor positions; // [N]
    private readonly Tensor place; // [1]: where every row stores its token
    private readonly Tensor one; // [1]
    private readonly Tensor cosine; // [positions, 1, headDim]
    private readonly Tensor sine;
    private readonly Tensor prefixMask; // [N or 1, 1, 1, P], additive
    private readonly Tensor logits; // [N, V]
    private readonly int prefixLength;
    private Tensor columns = null!; // [window]
    private CudaGraph? graph;
    private int window;
    private bool ran; // the operations of this window, once
    private int length; // of every row

    private RecordedDecoding(TransformerDecoder decoder, DecoderState state)
    {
        (this.decoder, this.state, length) = (decoder, state, state.Lengths[0]);
        firstKeys = state.Layer<KeyValueState>(0).Keys;
        using var ordinary = inference_mode(false);
        using var noGradient = no_grad();
        using var scope = NewDisposeScope();
        var (device, type, rows) = (firstKeys.device, firstKeys.dtype, state.Rows);
        forked = new ForkedRows(state, values => Keep(tensor(values, device: device)));
        tokens = Keep(zeros(rows, dtype: int64, device: device));
        positions = Keep(tensor([.. Enumerable.Range(0, rows).Select(row => (long)state.Position(row))], device: device));
        place = Keep(tensor([(long)length], device: device));
        one = Keep(tensor([1L], device: device));
        var last = state.Parent!.Lengths.Max() + state.Capacity - 1;
        var (cosines, sines) = decoder.Rotary.At(Tensor.Range(last + 1, int64, device), last, type);
        (cosine, sine) = (Keep(cosines.clone()), Keep(sines.clone()));
        logits = Keep(empty(rows, decoder.Config.VocabularySize, dtype: type, device: device));
        prefixLength = state.Parent.Lengths.Max();
        var lengths = state.ParentRows.Select(parent => (long)state.Parent.Lengths[parent]).ToArray();
        prefixMask = Keep(lengths.All(l => l == prefixLength)
            ? zeros([1, 1, 1, prefixLength], dtype: type, device: device)
            : Mask(Tensor.Range(prefixLength, int64, device).ge(tensor(lengths, [rows, 1, 1, 1], device: device)), type));
    }

    /// <summary>What a state keeps for this purpose; null where the next token cannot be decoded so.</summary>
    public static RecordedDecoding? Of(TransformerDecoder decoder, DecoderState state)
    {
        if (state.Workspace is RecordedDecoding made && ReferenceEquals(made.firstKeys, state.Layer<KeyValueState>(0).Keys) && made.length == state.Lengths[0])
            return made;
        if (!CudaStream.Available || state.Parent is null || decoder.Parameters.Values.device_type != DeviceType.CUDA || state.Lengths.Any(l => l != state.Lengths[0]))
            return null;
        state.Workspace?.Dispose();
        var recorded = new RecordedDecoding(decoder, state);
        state.Workspace = recorded;
        return recorded;
    }

    /// <summary>Logits [N, V], valid until the next token.</summary>
    /// <param name="next">[N] int64.</param>
    public Tensor Run(Tensor next)
    {
        for (var row = 0; row < state.Rows; row++) state.Expect(row, 1);
        using var inference = inference_mode();
        using var scope = NewDisposeScope();
        tokens.copy_(next);
        if (length + 1 > window) Widen();
        if (ran)
        {
            graph ??= stream.Record(Step);
            stream.Launch(graph);
        }
        else
        {
            stream.Run(Step);
            ran = true;
        }
        for (var row = 0; row < state.Rows; row++) state.Advance(row, 1);
        length++;
        return logits;
    }

    private void Widen()
    {
        graph?.Dispose();
        (graph, ran) = (null, false);
        window = Math.Min(state.Capacity, Math.Max(ShortestWindow, (int)BitOperations.RoundUpToPowerOf2((uint)length + 1)));
        columns = Keep(Tensor.Range(window, int64, firstKeys.device));
    }

    private void Step()
    {
        using var scope = NewDisposeScope();
        var rotation = (cosine.index_select(0, positions), sine.index_select(0, positions)); // [N, 1, headDim]
        var own = Mask(columns.gt(place), logits.dtype).view(1, 1, 1, window).expand(prefixMask.shape[0], 1, 1, window);
        var mask = cat([prefixMask, own], -1); // [N or 1, 1, 1, P + window]
        var x = decoder.EmbeddingMatrix.index_select(0, tokens); // [N, H]
        for (var layer = 0; layer < decoder.Config.Layers; layer++)
        {
            using var inner = NewDisposeScope();
            x = Layer(layer, x, rotation, mask).MoveToOuterDisposeScope();
        }
        logits.copy_(decoder.Logits(RmsNorm.Compose(x, decoder.FinalNormWeight, decoder.Config.RmsNormEps)));
        positions.PlusInPlace(one);
        place.PlusInPlace(one);
    }

    private Tensor Layer(int layer, Tensor x, (Tensor Cosine, Tensor Sine) rotation, Tensor mask)
    {
        var (attention, mlp, attentionNorm, mlpNorm) = decoder.Layer(layer);
        var (cache, eps) = (state.Layer<KeyValueState>(layer), decoder.Config.RmsNormEps);
        var qkv = Linear.Apply(RmsNorm.Compose(x, attentionNorm, eps), attention.Projection, attention.ProjectionBias);
        var (q, k, v) = RectangleAttention.Heads(attention, qkv, rotation);
        cache.Keys.index_copy_(2, place, k.unsqueeze(2));
        cache.Values.index_copy_(2, place, v.unsqueeze(2));
        var attended = RectangleAttention.AttendForked(
            attention.Shape, q.unsqueeze(1), cache.Keys.narrow(2, 0, window), cache.Values.narrow(2, 0, window),
            cache.Parent!.Keys.narrow(2, 0, prefixLength), cache.Parent.Values.narrow(2, 0, prefixLength), forked, mask).flatten(0, 1);
        x = Linear.Apply(attended, attention.Output, attention.OutputBias, x);
        return mlp.Forward(RmsNorm.Compose(x, mlpNorm, eps), x);
    }

    /// <summary>Minus infinity where something is hidden, zero elsewhere.</summary>
    private static Tensor Mask(Tensor hidden, ScalarType type) =>
        zeros(hidden.shape, dtype: type, device: hidden.device).MaskFilledInPlace(hidden, double.NegativeInfinity);

    private Tensor Keep(Tensor made)
    {
        kept.Add(made.DetachFromDisposeScope());
        return made;
    }

    public void Dispose()
    {
        graph?.Dispose();
        foreach (var tensor in kept) tensor.Dispose();
        stream.Dispose();
    }
}
