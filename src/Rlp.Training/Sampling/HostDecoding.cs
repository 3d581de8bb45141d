using Rlp.Models;
using Rlp.Models.Kernels;
using static TorchSharp.torch;

namespace Rlp.Training.Sampling;

/// <summary>
/// Decodes thoughts where logits lie in the host's memory: each token is drawn from its row of logits as it lies there, and a finished thought leaves
/// the batch at once.
/// </summary>
internal static unsafe class HostDecoding
{
    /// <param name="first">Logits after each position's prefix, [B, V].</param>
    /// <param name="predictions">Filled with the logits after each thought, [N, V]; null: not wanted.</param>
    public static void Run(
        IDecoder policy, SamplingMasks masks, SamplingSettings settings, DecoderState state, Tensor first, ThoughtBatch thoughts, Tensor? predictions)
    {
        var vocabulary = policy.Config.VocabularySize;
        var alive = Enumerable.Range(0, thoughts.Count).ToArray(); // the thought of each row of the state
        var rows = alive.Length;
        using var buffer = zeros(rows, dtype: int64);
        var tokens = buffer.alias();
        var drawn = CpuKernels.Integers(buffer);
        var chances = new float[rows];
        var kept = new int[rows];
        var threads = Math.Max(1, get_num_threads());
        using var weights = new Scratch((long)threads * vocabulary);
        using var sums = new Scratch((long)threads * SoftmaxKernel.Blocks(vocabulary) * 2); // of float64
        var truncations = settings.Truncates ? Enumerable.Range(0, threads).Select(_ => new Truncation(settings, vocabulary)).ToArray() : null;
        var (source, logits) = (first, Owned(first));
        float* row = CpuKernels.Pointer(logits), mask = null;
        var index = 0;
        var draw = new Action<int, int>((thread, count) =>
        {
            var z = weights + ((long)thread * vocabulary);
            var blocks = (double*)(float*)sums + ((long)thread * SoftmaxKernel.Blocks(vocabulary));
            for (var i = rows * thread / count; i < rows * (thread + 1) / count; i++)
            {
                var at = index == 0 ? thoughts.Position(alive[i]) : i;
                var most = SoftmaxKernel.ScaleAndMask(row + ((long)at * vocabulary), (float)(1 / settings.Temperature), mask, z, vocabulary);
                var total = SoftmaxKernel.Weights(z, most, blocks, vocabulary);
                var all = total;
                if (truncations is not null) total = truncations[thread].Apply(z, blocks);
                var token = SoftmaxKernel.Draw(z, blocks, total, thoughts.Noise(alive[i], index), vocabulary);
                if (token < 0) throw new TrainingDivergedException($"the policy's logits for token {index} of a thought are not finite");
                drawn[i] = token;
                chances[i] = (float)Math.Log(z[token] / all);
            }
        });
        for (; rows > 0; index++)
        {
            mask = masks.Address(SamplingMasks.RowAt(index, settings.MinThoughtTokens, settings.MaxThoughtTokens));
            NativeThreads.Run(Math.Min(threads, rows), draw);
            for (var i = 0; i < rows; i++) thoughts.Add(alive[i], (int)drawn[i], chances[i]);

            var decoded = policy.Decode(tokens, state);
            if (!ReferenceEquals(decoded, source)) // where it is, it was written anew
            {
                logits.Dispose();
                (logits, source) = (Owned(decoded), decoded);
                row = CpuKernels.Pointer(logits);
            }
            var remaining = 0;
            for (var i = 0; i < rows; i++)
            {
                if (drawn[i] != thoughts.End)
                {
                    kept[remaining++] = i;
                    continue;
                }
                var z = row + ((long)i * vocabulary);
                thoughts.SetEvidence(alive[i], z[thoughts.NextToken(alive[i])] - SoftmaxKernel.LogSumExp(z, vocabulary));
                if (predictions is not null) new Span<float>(z, vocabulary).CopyTo(new Span<float>(CpuKernels.Pointer(predictions) + ((long)alive[i] * vocabulary), vocabulary));
            }
            if (remaining == rows) continue;
            for (var i = 0; i < remaining; i++)
            {
                alive[i] = alive[kept[i]];
                if (kept[i] != i) Buffer.MemoryCopy(row + ((long)kept[i] * vocabulary), row + ((long)i * vocabulary), vocabulary * 4L, vocabulary * 4L);
            }
            rows = remaining;
            if (rows == 0) break;
            state.Keep(kept[..rows]);
            tokens.Dispose();
            tokens = buffer.narrow(0, 0, rows).DetachFromDisposeScope();
        }
        tokens.Dispose();
        logits.Dispose();
    }

    /// <summary>As contiguous float32, until disposed.</summary>
    private static Tensor Owned(Tensor logits)
    {
        using var scope = NewDisposeScope();
        return logits.to(float32).contiguous().alias().MoveToOuterDisposeScope().DetachFromDisposeScope();
    }
}
