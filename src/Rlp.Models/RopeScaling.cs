using System.Text.Json.Nodes;
using Rlp.Objective;
using static TorchSharp.torch;

namespace Rlp.Models;

/// <summary>How the frequencies of the rotary embedding are stretched to contexts longer than those of pretraining.</summary>
public abstract record RopeScaling
{
    /// <summary>Scaled frequencies in radians per position.</summary>
    /// <param name="frequencies">theta^(-2i/D), [D/2] float64.</param>
    internal abstract Tensor Apply(Tensor frequencies);

    internal abstract JsonObject ToJson();

    /// <summary>
    /// Theta and scaling of a config.json: "rope_theta" and "rope_scaling" up to transformers 4, "rope_parameters" from 5 on.
    /// </summary>
    /// <exception cref="ModelFormatException">A type that is not implemented, a missing or impossible number, or two answers to one question.</exception>
    internal static (double Theta, RopeScaling? Scaling) Read(ConfigDocument document)
    {
        document.Only("partial_rotary_factor", "1");
        document.Only("rope_interleaved", "false");
        var theta = document.Find("rope_theta") is null ? (double?)null : document.Number("rope_theta");
        var scaling = Read(document.Inner("rope_scaling"), ref theta);
        var parameters = Read(document.Inner("rope_parameters"), ref theta);
        if (document.Find("rope_scaling") is not null && document.Find("rope_parameters") is not null && scaling != parameters)
            throw new ModelFormatException($"{document.Source}: 'rope_scaling' and 'rope_parameters' disagree; keep one of them");
        return (theta ?? 10_000, scaling ?? parameters);
    }

    private static RopeScaling? Read(ConfigDocument? inner, ref double? theta)
    {
        if (inner is null) return null;
        string? name = inner.String("rope_type"), old = inner.String("type");
        if (name is not null && old is not null && name != old)
            throw new ModelFormatException($"{inner.Source}: 'rope_type' is \"{name}\" and 'type' is \"{old}\"; keep one of them");
        inner.Only("partial_rotary_factor", "1");
        if (inner.Find("rope_theta") is not null)
        {
            var value = inner.Number("rope_theta");
            if (theta is not null && theta != value)
                throw new ModelFormatException($"{inner.Source}: 'rope_theta' is {value} here and {theta} outside; keep one of them");
            theta = value;
        }
        RopeScaling? scaling = (name ?? old) switch
        {
            "default" => null,
            "linear" => new LinearRopeScaling(AtLeastOne("factor")),
            "llama3" => new Llama3RopeScaling(
                AtLeastOne("factor"), Positive("low_freq_factor"), Positive("high_freq_factor"), inner.Integer("original_max_position_embeddings")),
            null => throw new ModelFormatException($"{inner.Source}: 'rope_type' is missing; supported: default, linear, llama3"),
            var other => throw new ModelFormatException($"{inner.Source}: 'rope_type' is \"{other}\"; supported: default, linear, llama3"),
        };
        if (scaling is Llama3RopeScaling(_, var low, var high, var original))
        {
            if (low >= high) throw new ModelFormatException($"{inner.Source}: 'low_freq_factor' {low} is not below 'high_freq_factor' {high}");
            if (original < 1) throw new ModelFormatException($"{inner.Source}: 'original_max_position_embeddings' is {original}; expected at least 1");
        }
        inner.RefuseTheRest($"rope_type {name ?? old}");
        return scaling;

        double AtLeastOne(string key)
        {
            var value = inner.Number(key);
            return value is >= 1 and < double.PositiveInfinity
                ? value
                : throw new ModelFormatException($"{inner.Source}: '{key}' is {value}; expected at least 1");
        }

        double Positive(string key)
        {
            var value = inner.Number(key);
            return value is > 0 and < double.PositiveInfinity
                ? value
                : throw new ModelFormatException($"{inner.Source}: '{key}' is {value}; expected above 0");
        }
    }
}

/// <summary>Every frequency divided by the factor: position interpolation (Chen et al. 2023).</summary>
public sealed record LinearRopeScaling(double Factor) : RopeScaling
{
    internal override Tensor Apply(Tensor frequencies) => frequencies.Over(Factor);

    internal override JsonObject ToJson() => new() { ["rope_type"] = "linear", ["factor"] = Factor };
}

/// <summary>
/// Llama 3.1's rule: what turns at least <paramref name="HighFrequencyFactor"/> times within the original context stays, what turns at most
/// <paramref name="LowFrequencyFactor"/> times is divided by the factor, and between the two the scale goes linearly in the number of turns.
/// </summary>
public sealed record Llama3RopeScaling(double Factor, double LowFrequencyFactor, double HighFrequencyFactor, int OriginalPositions) : RopeScaling
{
    internal override Tensor Apply(Tensor frequencies)
    {
        var turns = frequencies.Times(OriginalPositions / (2 * Math.PI));
        var smooth = turns.Minus(LowFrequencyFactor).Over(HighFrequencyFactor - LowFrequencyFactor).Clamped(0, 1);
        return smooth.neg().Plus(1).Over(Factor).Plus(smooth) * frequencies; // (1 - smooth) / factor + smooth
    }

    internal override JsonObject ToJson() => new()
    {
        ["rope_type"] = "llama3",
        ["factor"] = Factor,
        ["low_freq_factor"] = LowFrequencyFactor,
        ["high_freq_factor"] = HighFrequencyFactor,
        ["original_max_position_embeddings"] = OriginalPositions,
    };
}
