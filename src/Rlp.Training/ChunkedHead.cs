using Rlp.Models;
using Rlp.Objective;
using TorchSharp;
using static TorchSharp.torch;

namespace Rlp.Training;

/// <summary>
/// The way from hidden states to the log-probabilities of given tokens and back, a few rows at a time: whatever is of the vocabulary's width
/// takes the memory of one chunk, however many tokens are learned from. Gradients are those of the logits of all rows at once, up to the order
/// of additions.
/// </summary>
internal sealed class ChunkedHead
{
    /// <summary>Elements of a chunk's logits (16 MiB in float32) where nothing else is asked for; a chunk has at least one row.</summary>
    public const int LogitsAtOnce = 1 << 22;

    /// <summary>The same (1 GiB) on an accelerator, where a chunk reads the head's matrix and reads and writes its gradient at the cost of many rows.</summary>
    public const int LogitsAtOnceOnDevice = 1 << 28;

    private readonly IDecoder decoder;
    private readonly Tensor states; // [m, H], as they came: with the network behind them
    private readonly Tensor values; // [m, H], without it
    private readonly Tensor gradients; // [m, H]
    private readonly int rows;

    /// <param name="states">Final hidden states [m, H], carrying gradient where <see cref="Backward()"/> is to be called.</param>
    /// <param name="logitsAtOnce">Elements of a chunk's logits; null: as many as suit the device.</param>
    public ChunkedHead(IDecoder decoder, Tensor states, int? logitsAtOnce = null)
    {
        (this.decoder, this.states) = (decoder, states);
        values = states.detach();
        gradients = zeros_like(values);
        rows = Math.Max(1, (logitsAtOnce ?? (values.device_type == DeviceType.CPU ? LogitsAtOnce : LogitsAtOnceOnDevice)) / decoder.Config.VocabularySize);
    }

    /// <summary>The chunks in order: first row and number of rows.</summary>
    public IEnumerable<(long Begin, long Count)> Chunks
    {
        get
        {
            for (long begin = 0; begin < values.shape[0]; begin += rows) yield return (begin, Math.Min(rows, values.shape[0] - begin));
        }
    }

    /// <summary>softmax(logits / temperature + mask) of a chunk's rows, without gradient beyond it.</summary>
    /// <param name="tokens">The token of each row of the chunk, [c] int64.</param>
    /// <param name="mask">Of the chunk's rows; null: none.</param>
    public TokenDistribution Forward(long begin, Tensor tokens, double temperature = 1, TokenMask? mask = null)
    {
        using var noGradient = no_grad();
        var logits = decoder.Logits(values.narrow(0, begin, tokens.shape[0])).to(float32); // [c, V]
        return TokenDistribution.Of(begin, logits, tokens, temperature, mask);
    }

    /// <summary>
    /// Carries the gradient of <see cref="TokenDistribution.LogProbabilities"/> on to the head's matrix and to the chunk's hidden states.
    /// </summary>
    public void Backward(TokenDistribution chunk)
    {
        using var noGradient = no_grad();
        using var scope = NewDisposeScope();
        var head = decoder.Parameters.Layout.OutputHead;
        var weight = decoder.Parameters[head.Name]; // [V, H]
        var logits = chunk.LogitGradient().to(weight.dtype); // [c, V]
        var inputs = values.narrow(0, chunk.Begin, logits.shape[0]); // [c, H]
        gradients.narrow(0, chunk.Begin, logits.shape[0]).copy_(logits.mm(weight));
        var gradient = decoder.Parameters.Gradient(head);
        if (gradient.dtype == logits.dtype) gradient.addmm_(logits.t(), inputs, 1, 1);
        else gradient.PlusInPlace(logits.t().mm(inputs));
    }

    /// <summary>Carries the gradient of all chunks on through the network, once.</summary>
    public void Backward()
    {
        states.backward([gradients]);
        decoder.Parameters.GatherGradients();
    }
}
