using System.Text.Json.Serialization;
using Parquet.Serialization.Attributes;
using Rlp.Training.Engines;

namespace Rlp.Training.Thoughts;

/// <summary>A row of a <see cref="ThoughtFile"/>. Lists, not arrays: the reader builds a list in linear time.</summary>
internal sealed class ThoughtRow
{
    [JsonPropertyName("step")]
    public long Step { get; set; }

    [JsonPropertyName("group")]
    public int Group { get; set; }

    [JsonPropertyName("member")]
    public int Member { get; set; }

    [JsonPropertyName("policy_version")]
    public long PolicyVersion { get; set; }

    [JsonPropertyName("prefix"), ParquetRequired, ParquetListElementRequired]
    public List<int> Prefix { get; set; } = [];

    [JsonPropertyName("next_token")]
    public int NextToken { get; set; }

    [JsonPropertyName("thought"), ParquetRequired, ParquetListElementRequired]
    public List<int> Thought { get; set; } = [];

    [JsonPropertyName("log_probabilities"), ParquetRequired, ParquetListElementRequired]
    public List<float> LogProbabilities { get; set; } = [];

    [JsonPropertyName("clipped")]
    public bool Clipped { get; set; }

    [JsonPropertyName("s_pred")]
    public double PredictedEvidence { get; set; }

    [JsonPropertyName("s_ema")]
    public double TeacherEvidence { get; set; }

    [JsonPropertyName("gain")]
    public double Gain { get; set; }

    [JsonPropertyName("thoughts_sha256"), ParquetRequired]
    public string ThoughtsSha256 { get; set; } = "";

    public static IEnumerable<ThoughtRow> Of(long step, ScoredGroup group)
    {
        var (position, thoughts) = group.Sampled;
        var (sha256, gains) = (group.Sampled.ThoughtsSha256(), group.Rewards());
        return thoughts.Select((thought, member) => new ThoughtRow
        {
            Step = step,
            Group = position.Group,
            Member = member,
            PolicyVersion = group.Sampled.PolicyVersion,
            Prefix = member == 0 ? [.. position.Prefix] : [],
            NextToken = position.NextToken,
            Thought = [.. thought.Tokens],
            LogProbabilities = [.. thought.LogProbabilities],
            Clipped = thought.Clipped,
            PredictedEvidence = thought.PredictedEvidence,
            TeacherEvidence = group.TeacherEvidence,
            Gain = gains[member],
            ThoughtsSha256 = sha256,
        });
    }

    /// <param name="rows">All rows of the group, in the order of the file.</param>
    public static ScoredGroup ToGroup(IReadOnlyList<ThoughtRow> rows) => new(
        new SampledGroup(
            new GroupPosition(rows[0].Group, [.. rows[0].Prefix], rows[0].NextToken),
            [.. rows.Select(r => new SampledThought([.. r.Thought], [.. r.LogProbabilities], r.Clipped, r.PredictedEvidence))])
        {
            PolicyVersion = rows[0].PolicyVersion,
        },
        rows[0].TeacherEvidence);
}
