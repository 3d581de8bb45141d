namespace Rlp.Models.Tests;

/// <summary>
/// Every architecture once more, from its definition, one token after the other in double precision: loops over plain numbers, parameters by
/// their names in a Hugging Face file, nothing shared with the code under test.
/// </summary>
internal sealed class PlainDecoder
{
    private readonly DecoderConfig config;
    private readonly Dictionary<string, double[]> parameters = [];
    private readonly Dictionary<int, List<(double[] Keys, double[] Values)>> caches = [];
    private readonly Dictionary<int, List<double[]>> convolutionInputs = [];
    private readonly Dictionary<int, double[,,]> states = [];

    public PlainDecoder(DecoderConfig config, ParameterArena arena)
    {
        this.config = config;
        foreach (var slot in arena.Layout.Slots)
        {
            using var view = arena.View(slot);
            parameters[slot.Name] = [.. view.data<float>().Select(v => (double)v)];
        }
    }

    /// <summary>Final hidden states, token by token.</summary>
    public IEnumerable<double[]> Hidden(IEnumerable<long> tokens)
    {
        var root = config is NemotronHConfig ? "backbone" : "model";
        var embedding = parameters[config is NemotronHConfig ? "backbone.embeddings.weight" : "model.embed_tokens.weight"];
        var position = 0;
        foreach (var token in tokens)
        {
            var x = embedding.AsSpan((int)token * config.HiddenSize, config.HiddenSize).ToArray();
            for (var i = 0; i < config.Layers; i++)
            {
                var layer = $"{root}.layers.{i}";
                if (config is NemotronHConfig nemotron)
                {
                    var normalised = Norm(x, $"{layer}.norm.weight");
                    x = Add(x, nemotron.Pattern[i] switch
                    {
                        'M' => Mamba(nemotron, i, $"{layer}.mixer", normalised),
                        '*' => Attention(i, $"{layer}.mixer", normalised, null),
                        _ => Linear($"{layer}.mixer.down_proj", [.. Linear($"{layer}.mixer.up_proj", normalised).Select(u => u > 0 ? u * u : 0)]),
                    });
                }
                else
                {
                    x = Add(x, Attention(i, $"{layer}.self_attn", Norm(x, $"{layer}.input_layernorm.weight"), position));
                    var normalised = Norm(x, $"{layer}.post_attention_layernorm.weight");
                    var up = Linear($"{layer}.mlp.up_proj", normalised);
                    x = Add(x, Linear($"{layer}.mlp.down_proj", [.. Linear($"{layer}.mlp.gate_proj", normalised).Zip(up, (g, u) => Silu(g) * u)]));
                }
            }
            position++;
            yield return Norm(x, config is NemotronHConfig ? "backbone.norm_f.weight" : "model.norm.weight");
        }
    }

    public double[] Logits(double[] hidden) =>
        Linear(!config.TieWordEmbeddings ? "lm_head" : config is NemotronHConfig ? "backbone.embeddings" : "model.embed_tokens", hidden);

    private double[] Attention(int layer, string module, double[] x, int? position)
    {
        int heads = config.AttentionHeads, kvHeads = config.KeyValueHeads, dim = config.HeadDim;
        var queries = Heads(Linear($"{module}.q_proj", x), $"{module}.q_norm.weight", heads);
        var keys = Heads(Linear($"{module}.k_proj", x), $"{module}.k_norm.weight", kvHeads);
        if (!caches.TryGetValue(layer, out var cache)) caches[layer] = cache = [];
        cache.Add((keys, Linear($"{module}.v_proj", x)));
        var output = new double[heads * dim];
        for (var head = 0; head < heads; head++)
        {
            var shared = head / (heads / kvHeads);
            double[] query = queries[(head * dim)..((head + 1) * dim)];
            double[] scores = [.. cache.Select(past => query.Select((q, d) => q * past.Keys[(shared * dim) + d]).Sum() / Math.Sqrt(dim))];
            double[] weights = [.. scores.Select(s => Math.Exp(s - scores.Max()))];
            for (var d = 0; d < dim; d++)
                output[(head * dim) + d] = cache.Select((past, t) => weights[t] * past.Values[(shared * dim) + d]).Sum() / weights.Sum();
        }
        return Linear($"{module}.o_proj", output);

        double[] Heads(double[] all, string norm, int count)
        {
            for (var head = 0; head < count; head++)
            {
                var part = all[(head * dim)..((head + 1) * dim)];
                if (config is Qwen3Config) part = Norm(part, norm);
                if (position is { } at) part = Rotated(part, at);
                part.CopyTo(all, head * dim);
            }
            return all;
        }
    }

    private double[] Rotated(double[] v, int position)
    {
        var rope = (TransformerConfig)config;
        var half = v.Length / 2;
        var result = new double[v.Length];
        for (var i = 0; i < half; i++)
        {
            var frequency = Math.Pow(rope.RopeTheta, -2.0 * i / v.Length);
            if (rope.RopeScaling is LinearRopeScaling linear) frequency /= linear.Factor;
            if (rope.RopeScaling is Llama3RopeScaling llama3)
            {
                var wavelength = 2 * Math.PI / frequency;
                if (wavelength > llama3.OriginalPositions / llama3.LowFrequencyFactor) frequency /= llama3.Factor;
                else if (wavelength >= llama3.OriginalPositions / llama3.HighFrequencyFactor)
                {
                    var smooth = ((llama3.OriginalPositions / wavelength) - llama3.LowFrequencyFactor) / (llama3.HighFrequencyFactor - llama3.LowFrequencyFactor);
                    frequency = ((1 - smooth) * frequency / llama3.Factor) + (smooth * frequency);
                }
            }
            var (sine, cosine) = Math.SinCos(position * frequency);
            result[i] = (v[i] * cosine) - (v[half + i] * sine);
            result[half + i] = (v[half + i] * cosine) + (v[i] * sine);
        }
        return result;
    }

    private double[] Mamba(NemotronHConfig mamba, int layer, string module, double[] input)
    {
        int heads = mamba.MambaHeads, dim = mamba.MambaHeadDim, size = mamba.StateSize, groups = mamba.MambaGroups, kernel = mamba.ConvolutionKernel;
        int inner = heads * dim, shared = groups * size;
        if (!states.ContainsKey(layer)) (states[layer], convolutionInputs[layer]) = (new double[heads, dim, size], []);
        var (state, past) = (states[layer], convolutionInputs[layer]);
        double[] taps = parameters[$"{module}.conv1d.weight"], decay = parameters[$"{module}.A_log"], skip = parameters[$"{module}.D"];
        double[] timeBias = parameters[$"{module}.dt_bias"], norm = parameters[$"{module}.norm.weight"];

        var projected = Linear($"{module}.in_proj", input); // z | x | B | C | dt
        past.Add(projected[inner..((2 * inner) + (2 * shared))]);
        var mixed = new double[inner + (2 * shared)];
        for (var channel = 0; channel < mixed.Length; channel++)
        {
            var sum = parameters.TryGetValue($"{module}.conv1d.bias", out var bias) ? bias[channel] : 0;
            for (var back = 0; back < kernel && back < past.Count; back++)
                sum += taps[(channel * kernel) + kernel - 1 - back] * past[^(back + 1)][channel];
            mixed[channel] = Silu(sum);
        }
        double[] x = mixed[..inner], b = mixed[inner..(inner + shared)], c = mixed[(inner + shared)..];
        var gated = new double[inner];
        for (var head = 0; head < heads; head++)
        {
            var dt = Math.Log(1 + Math.Exp(projected[(2 * inner) + (2 * shared) + head] + timeBias[head]));
            dt = Math.Min(Math.Max(dt, mamba.TimeStepLimit.Low), mamba.TimeStepLimit.High);
            var group = head / (heads / groups);
            for (var p = 0; p < dim; p++)
            {
                var channel = (head * dim) + p;
                var y = skip[head] * x[channel];
                for (var n = 0; n < size; n++)
                {
                    state[head, p, n] = (state[head, p, n] * Math.Exp(-Math.Exp(decay[head]) * dt)) + (dt * x[channel] * b[(group * size) + n]);
                    y += state[head, p, n] * c[(group * size) + n];
                }
                gated[channel] = y * Silu(projected[channel]);
            }
        }
        return Linear($"{module}.out_proj", [.. gated.Chunk(inner / groups).Zip(norm.Chunk(inner / groups), Norm).SelectMany(v => v)]);
    }

    private double[] Norm(double[] v, string weight) => Norm(v, parameters[weight]);

    private double[] Norm(double[] v, double[] weight)
    {
        var scale = 1 / Math.Sqrt(v.Average(e => e * e) + config.RmsNormEps);
        return [.. v.Zip(weight, (e, w) => e * scale * w)];
    }

    private double[] Linear(string module, double[] v)
    {
        var weight = parameters[$"{module}.weight"];
        var bias = parameters.GetValueOrDefault($"{module}.bias");
        return [.. Enumerable.Range(0, weight.Length / v.Length).Select(row =>
        {
            var sum = bias?[row] ?? 0;
            for (var column = 0; column < v.Length; column++) sum += weight[(row * v.Length) + column] * v[column];
            return sum;
        })];
    }

    private static double[] Add(double[] a, double[] b) => [.. a.Zip(b, (x, y) => x + y)];

    private static double Silu(double v) => v / (1 + Math.Exp(-v));
}
