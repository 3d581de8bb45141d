using static TorchSharp.torch;

namespace Rlp.Models.Tests;

/// <summary>A decoder of one Mamba-2 layer against the same network written out token by token in double precision arithmetic.</summary>
public sealed class Mamba2MixerTests
{
    public static TheoryData<string> Cases => [.. Configs.Keys];

    private static readonly Dictionary<string, NemotronHConfig> Configs = new()
    {
        ["one group"] = TinyModels.Nemotron("M", groups: 1),
        ["two groups"] = TinyModels.Nemotron("M", groups: 2),
        ["four groups, biases"] = TinyModels.Nemotron("M", groups: 4) with { MambaBias = true },
        ["no convolution bias, kernel of two"] = TinyModels.Nemotron("M") with { ConvolutionBias = false, ConvolutionKernel = 2 },
        ["kernel of one"] = TinyModels.Nemotron("M") with { ConvolutionKernel = 1 },
        ["clamped time steps"] = TinyModels.Nemotron("M") with { TimeStepLimit = (0.03, 0.05) },
        ["long time steps"] = TinyModels.Nemotron("M") with { InitialTimeStep = (1, 30, 0), ChunkSize = 64 },
    };

    [Theory]
    [MemberData(nameof(Cases))]
    public void A_mamba_layer_computes_what_its_definition_says(string name)
    {
        using var noGradient = no_grad();
        var config = Configs[name];
        using var decoder = TinyModels.Random(config);
        var tokens = TinyModels.Tokens(1, (3 * TinyModels.Chunk) + 5);

        var hidden = decoder.Hidden(tokens)[0];

        var expected = Plain(config, decoder.Parameters, [.. tokens.data<long>()]);
        Assert.Equal(0, TinyModels.LargestDifference(expected, hidden), 2e-5);
    }

    private static Tensor Plain(NemotronHConfig config, ParameterArena parameters, long[] tokens)
    {
        int heads = config.MambaHeads, dim = config.MambaHeadDim, size = config.StateSize, groups = config.MambaGroups, kernel = config.ConvolutionKernel;
        int inner = heads * dim, shared = groups * size;
        double[] P(string leaf) => [.. parameters[leaf].data<float>().Select(v => (double)v)];
        double[] M(string leaf) => P("backbone.layers.0.mixer." + leaf);
        double[] embedding = P("embed"), inProjection = M("in_proj.weight"), outProjection = M("out_proj.weight"), norm = P("backbone.layers.0.norm.weight");
        double[] taps = M("conv1d.weight"), decay = M("A_log"), skip = M("D"), timeBias = M("dt_bias"), gatedNorm = M("norm.weight"), final = P("backbone.norm_f.weight");
        var tapBias = config.ConvolutionBias ? M("conv1d.bias") : new double[inner + (2 * shared)];
        var inBias = config.MambaBias ? M("in_proj.bias") : new double[(2 * inner) + (2 * shared) + heads];
        var outBias = config.MambaBias ? M("out_proj.bias") : new double[config.HiddenSize];

        var states = new double[heads, dim, size];
        var past = new List<double[]>(); // convolution inputs of the tokens so far
        var output = new List<double>();
        foreach (var token in tokens)
        {
            var embedded = embedding.AsSpan((int)token * config.HiddenSize, config.HiddenSize).ToArray();
            var projected = Linear(inProjection, Normalised(embedded, norm, config.RmsNormEps), inBias);
            var z = projected[..inner];
            past.Add(projected[inner..((2 * inner) + (2 * shared))]);
            var mixed = new double[inner + (2 * shared)];
            for (var channel = 0; channel < mixed.Length; channel++)
            {
                var sum = tapBias[channel];
                for (var back = 0; back < kernel && back < past.Count; back++) sum += taps[(channel * kernel) + kernel - 1 - back] * past[^(back + 1)][channel];
                mixed[channel] = Silu(sum);
            }
            double[] x = mixed[..inner], b = mixed[inner..(inner + shared)], c = mixed[(inner + shared)..];
            var gated = new double[inner];
            for (var head = 0; head < heads; head++)
            {
                var dt = Math.Log(1 + Math.Exp(projected[(2 * inner) + (2 * shared) + head] + timeBias[head]));
                dt = Math.Min(Math.Max(dt, config.TimeStepLimit.Low), config.TimeStepLimit.High);
                var group = head / (heads / groups);
                for (var p = 0; p < dim; p++)
                {
                    var channel = (head * dim) + p;
                    double y = 0;
                    for (var n = 0; n < size; n++)
                    {
                        states[head, p, n] = (states[head, p, n] * Math.Exp(-Math.Exp(decay[head]) * dt)) + (dt * x[channel] * b[(group * size) + n]);
                        y += states[head, p, n] * c[(group * size) + n];
                    }
                    gated[channel] = (y + (skip[head] * x[channel])) * Silu(z[channel]);
                }
            }
            var perGroup = inner / groups;
            var normalised = Enumerable.Range(0, groups)
                .SelectMany(g => Normalised(gated[(g * perGroup)..((g + 1) * perGroup)], gatedNorm[(g * perGroup)..((g + 1) * perGroup)], config.RmsNormEps)).ToArray();
            var mixerOutput = Linear(outProjection, normalised, outBias);
            output.AddRange(Normalised([.. embedded.Zip(mixerOutput, (a, m) => a + m)], final, config.RmsNormEps));
        }
        return tensor(output.ToArray()).view(tokens.Length, config.HiddenSize).to(float32);
    }

    private static double Silu(double v) => v / (1 + Math.Exp(-v));

    private static double[] Normalised(double[] v, double[] weight, double eps)
    {
        var scale = 1 / Math.Sqrt(v.Average(e => e * e) + eps);
        return [.. v.Zip(weight, (e, w) => e * scale * w)];
    }

    private static double[] Linear(double[] weight, double[] v, double[] bias) =>
        [.. bias.Select((b, row) => b + v.Select((e, column) => e * weight[(row * v.Length) + column]).Sum())];
}
