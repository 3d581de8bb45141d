using System.Globalization;
using Rlp.Models;
using static TorchSharp.torch;

namespace Rlp.Training.Tests;

public sealed class ChunkedHeadTests
{
    [Fact]
    public void A_large_vocabulary_takes_the_memory_of_a_chunk_and_not_of_all_rows()
    {
        const int vocabulary = 152_000, rows = 400, bytes = sizeof(float) * vocabulary * rows; // 243 MB of logits
        Assert.SkipUnless(File.Exists("/proc/self/clear_refs"), "the peak of a process's memory is read from Linux's /proc");
        var config = new Qwen3Config
        {
            VocabularySize = vocabulary,
            HiddenSize = 8,
            IntermediateSize = 8,
            Layers = 1,
            AttentionHeads = 1,
            KeyValueHeads = 1,
            HeadDim = 8,
        };
        using var parameters = new ParameterArena(Decoder.Layout(config), trainable: true);
        using var decoder = Decoder.Create(config, parameters);
        decoder.Initialize(1);
        using var states = randn(rows, 8).requires_grad_();
        using var tokens = arange(rows, dtype: int64);

        long Learn(int logitsAtOnce)
        {
            parameters.ZeroGradients();
            var before = Memory("VmRSS");
            File.WriteAllText("/proc/self/clear_refs", "5"); // the peak begins anew
            using var scope = NewDisposeScope();
            var head = new ChunkedHead(decoder, states, logitsAtOnce);
            foreach (var (begin, count) in head.Chunks)
            {
                using var inner = NewDisposeScope();
                var distribution = head.Forward(begin, tokens.narrow(0, begin, count));
                distribution.LogProbabilities.sum().neg().backward();
                head.Backward(distribution);
            }
            head.Backward();
            return Memory("VmHWM") - before;
        }

        Learn(ChunkedHead.LogitsAtOnce); // libtorch's own buffers
        Assert.InRange(Learn(ChunkedHead.LogitsAtOnce), 0, bytes / 2);
        Assert.InRange(Learn(int.MaxValue), bytes / 10 * 9, 8L * bytes); // all rows at once, to see that the peak shows them
    }

    /// <summary>Bytes of this process.</summary>
    private static long Memory(string name)
    {
        var line = File.ReadLines("/proc/self/status").Single(l => l.StartsWith(name + ":", StringComparison.Ordinal)); // VmRSS:  1234 kB
        return 1024 * long.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[^2], CultureInfo.InvariantCulture);
    }
}
