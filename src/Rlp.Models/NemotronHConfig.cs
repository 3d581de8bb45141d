using System.Text.Json.Nodes;
using Rlp.Models.Weights;

namespace Rlp.Models;

/// <summary>
/// A Nemotron-H decoder: Mamba-2, attention and MLP layers in the order of a pattern; keys and defaults as in Hugging Face's NemotronHConfig.
/// </summary>
public sealed record NemotronHConfig : DecoderConfig
{
    internal const string Name = "NemotronHForCausalLM", Type = "nemotron_h";

    /// <summary>In the <see cref="Pattern"/>.</summary>
    public const char Mamba = 'M', Attention = '*', Mlp = '-';

    /// <summary>One character a layer.</summary>
    public required string Pattern { get; init; }

    public required int MambaHeads { get; init; }
    public required int MambaHeadDim { get; init; }

    /// <summary>B and C are shared by the heads of a group; the gated norm normalises each group's channels.</summary>
    public required int MambaGroups { get; init; }

    public required int StateSize { get; init; }
    public int ConvolutionKernel { get; init; } = 4;

    /// <summary>Tokens that the scan takes at once; a matter of speed and rounding, not of the result.</summary>
    public int ChunkSize { get; init; } = 128;

    /// <summary>dt after softplus is clamped to this range.</summary>
    public (double Low, double High) TimeStepLimit { get; init; } = (0, double.PositiveInfinity);

    /// <summary>Biases on in_proj and out_proj of the Mamba layers.</summary>
    public bool MambaBias { get; init; }

    public bool ConvolutionBias { get; init; } = true;
    public bool AttentionBias { get; init; }
    public bool MlpBias { get; init; }

    /// <summary>The sum over layers is kept in float32 whatever the weights are.</summary>
    public bool ResidualInFloat32 { get; init; }

    /// <summary>Of initial dt: log-uniform between the first two, at least the third.</summary>
    public (double Min, double Max, double Floor) InitialTimeStep { get; init; } = (0.001, 0.1, 1e-4);

    /// <summary>Initial out_proj of the Mamba layers divided by the square root of the number of layers.</summary>
    public bool RescaleResidual { get; init; } = true;

    /// <summary>Channels of x and z.</summary>
    public int MambaWidth => MambaHeads * MambaHeadDim;

    /// <summary>Channels of x, B and C, which pass the convolution.</summary>
    public int ConvolutionWidth => MambaWidth + (2 * MambaGroups * StateSize);

    public override InitializationSettings Initialization =>
        base.Initialization with { TimeStep = InitialTimeStep, RescaledLayers = RescaleResidual ? Layers : null };

    public override string Architecture => Name;

    public override string ModelType => Type;

    public override int AttentionLayers => Pattern.Count(c => c == Attention);

    /// <remarks>A recurrent state is float32 whatever the activations are.</remarks>
    public override long StateBytes(long batch, long capacity, int elementBytes) =>
        base.StateBytes(batch, capacity, elementBytes)
        + (Pattern.Count(c => c == Mamba) * batch
            * (((ConvolutionKernel - 1L) * ConvolutionWidth * elementBytes) + ((long)MambaWidth * StateSize * sizeof(float))));

    private protected override string NormKey => "layer_norm_epsilon";

    public override DecoderConfig Validated(string source)
    {
        base.Validated(source);
        CheckSize(source, "mamba_num_heads", MambaHeads);
        CheckSize(source, "mamba_head_dim", MambaHeadDim);
        CheckSize(source, "n_groups", MambaGroups);
        CheckSize(source, "ssm_state_size", StateSize);
        CheckSize(source, "conv_kernel", ConvolutionKernel);
        CheckSize(source, "chunk_size", ChunkSize);
        if (((long)MambaHeads * MambaHeadDim) + (2L * MambaGroups * StateSize) > LargestSize)
        {
            throw new ModelFormatException(
                $"{source}: mamba_num_heads {MambaHeads} * mamba_head_dim {MambaHeadDim} + 2 * n_groups {MambaGroups} * ssm_state_size {StateSize} "
                + $"is above {LargestSize}");
        }
        if (MambaHeads % MambaGroups != 0)
            throw new ModelFormatException($"{source}: mamba_num_heads {MambaHeads} is not a multiple of n_groups {MambaGroups}");
        for (var i = 0; i < Pattern.Length; i++)
        {
            if (Pattern[i] is Mamba or Attention or Mlp) continue;
            throw new ModelFormatException(
                $"{source}: hybrid_override_pattern \"{Pattern}\" has '{Pattern[i]}' for layer {i}; "
                + $"supported: {Mamba} (Mamba-2), {Attention} (attention), {Mlp} (MLP)");
        }
        if (Pattern.Length != Layers)
            throw new ModelFormatException($"{source}: hybrid_override_pattern \"{Pattern}\" has {Pattern.Length} layers, num_hidden_layers is {Layers}");
        var (low, high) = TimeStepLimit;
        if (!(low >= 0 && low <= high && high > 0 && double.IsFinite(low)))
            throw new ModelFormatException($"{source}: time_step_limit is [{low}, {high}]; expected 0 or above, in ascending order");
        var (min, max, floor) = InitialTimeStep;
        if (!(min > 0 && min <= max && double.IsFinite(max) && floor is >= 0 and < double.PositiveInfinity))
        {
            throw new ModelFormatException(
                $"{source}: time_step_min is {min}, time_step_max {max}, time_step_floor {floor}; expected 0 < min <= max and floor >= 0");
        }
        return this;
    }

    internal static NemotronHConfig Read(ConfigDocument document)
    {
        document.Only("mamba_hidden_act", "\"silu\"");
        document.Only("mlp_hidden_act", "\"relu2\"");
        document.Only("mamba_ssm_cache_dtype", "\"float32\"");
        document.Only("partial_rotary_factor", "1");
        document.Off("sliding_window", "num_nextn_predict_layers", "rope_scaling");
        // Attention has no rotary embedding; the width of Mamba is heads times head_dim; the rest is speed or belongs to layers that are not there.
        document.Ignore(
            "rope_theta", "expand", "use_mamba_kernels", "time_step_rank", "num_logits_to_keep", "mtp_layers_block_type", "mtp_hybrid_override_pattern");

        var pattern = ReadPattern(document);
        bool attends = pattern.Contains(Attention), scans = pattern.Contains(Mamba); // sizes of layers that are not there may be left out
        var heads = document.Integer("num_attention_heads", attends ? null : 32);
        var keyValueHeads = document.Integer("num_key_value_heads", heads);
        Same(document, "num_query_groups", keyValueHeads, "num_key_value_heads");
        var headDim = document.Integer("head_dim", document.Integer("attention_head_dim", 128));
        Same(document, "attention_head_dim", headDim, "head_dim");
        var eps = document.Number("layer_norm_epsilon", 1e-5);
        Same(document, "rms_norm_eps", eps, "layer_norm_epsilon"); // Hugging Face reads only the latter
        Same(document, "norm_eps", eps, "layer_norm_epsilon");
        bool bias = document.Flag("use_bias", false), projectionBias = document.Flag("mamba_proj_bias", false);
        if (projectionBias && !bias)
        {
            throw new ModelFormatException(
                $"{document.Source}: 'mamba_proj_bias' is true and 'use_bias', which decides, is not; set 'use_bias' if in_proj and out_proj have biases");
        }
        return new NemotronHConfig
        {
            VocabularySize = document.Integer("vocab_size"),
            HiddenSize = document.Integer("hidden_size"),
            IntermediateSize = document.Integer("intermediate_size", pattern.Contains(Mlp) ? null : 21504),
            Layers = document.Integer("num_hidden_layers", pattern.Length),
            Pattern = pattern,
            AttentionHeads = heads,
            KeyValueHeads = keyValueHeads,
            HeadDim = headDim,
            MambaHeads = document.Integer("mamba_num_heads", scans ? null : 128),
            MambaHeadDim = document.Integer("mamba_head_dim", scans ? null : 64),
            MambaGroups = document.Integer("n_groups", scans ? null : 8),
            StateSize = document.Integer("ssm_state_size", scans ? null : 128),
            ConvolutionKernel = document.Integer("conv_kernel", 4),
            ChunkSize = document.Integer("chunk_size", 128),
            TimeStepLimit = document.Pair("time_step_limit") ?? (0, double.PositiveInfinity),
            MambaBias = bias,
            ConvolutionBias = document.Flag("use_conv_bias", true),
            AttentionBias = document.Flag("attention_bias", false),
            MlpBias = document.Flag("mlp_bias", false),
            ResidualInFloat32 = document.Flag("residual_in_fp32", false),
            InitialTimeStep = (document.Number("time_step_min", 0.001), document.Number("time_step_max", 0.1), document.Number("time_step_floor", 1e-4)),
            RescaleResidual = document.Flag("rescale_prenorm_residual", true),
            RmsNormEps = eps,
            TieWordEmbeddings = document.Flag("tie_word_embeddings", false),
            InitializerRange = document.Number("initializer_range", 0.02),
        };
    }

    /// <summary>"hybrid_override_pattern", or "layers_block_type" as transformers 5 writes it.</summary>
    private static string ReadPattern(ConfigDocument document)
    {
        var pattern = document.String("hybrid_override_pattern");
        foreach (var key in new[] { "layers_block_type", "layer_types" })
        {
            if (document.Strings(key) is not { } types) continue;
            var spelled = string.Concat(types.Select(type => type switch
            {
                "mamba" or "linear_attention" => Mamba,
                "attention" or "full_attention" => Attention,
                "mlp" => Mlp,
                _ => throw new ModelFormatException($"{document.Source}: '{key}' has \"{type}\"; supported: mamba, attention, mlp"),
            }));
            if (pattern is not null && pattern != spelled)
                throw new ModelFormatException($"{document.Source}: '{key}' spells \"{spelled}\", but another key says \"{pattern}\"; keep one of them");
            pattern = spelled;
        }
        return pattern ?? throw new ModelFormatException($"{document.Source}: 'hybrid_override_pattern' is missing");
    }

    /// <summary>Two names of one number, of which programs read one or the other.</summary>
    private static void Same(ConfigDocument document, string key, double value, string other)
    {
        if (document.Find(key) is not null && document.Number(key) != value)
            throw new ModelFormatException($"{document.Source}: '{key}' is {document.Number(key)} and '{other}' is {value}; they must be equal");
    }

    private protected override void Write(JsonObject json)
    {
        json["hybrid_override_pattern"] = Pattern;
        json["layer_norm_epsilon"] = RmsNormEps;
        json["mamba_num_heads"] = MambaHeads;
        json["mamba_head_dim"] = MambaHeadDim;
        json["n_groups"] = MambaGroups;
        json["ssm_state_size"] = StateSize;
        json["conv_kernel"] = ConvolutionKernel;
        json["chunk_size"] = ChunkSize;
        json["time_step_limit"] = new JsonArray(ConfigDocument.Number(TimeStepLimit.Low), ConfigDocument.Number(TimeStepLimit.High));
        json["time_step_min"] = InitialTimeStep.Min;
        json["time_step_max"] = InitialTimeStep.Max;
        json["time_step_floor"] = InitialTimeStep.Floor;
        json["mamba_hidden_act"] = "silu";
        json["mlp_hidden_act"] = "relu2";
        json["use_bias"] = MambaBias;
        json["mamba_proj_bias"] = MambaBias;
        json["use_conv_bias"] = ConvolutionBias;
        json["attention_bias"] = AttentionBias;
        json["mlp_bias"] = MlpBias;
        json["residual_in_fp32"] = ResidualInFloat32;
        json["rescale_prenorm_residual"] = RescaleResidual;
    }
}
