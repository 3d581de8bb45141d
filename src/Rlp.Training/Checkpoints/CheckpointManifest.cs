using System.Text.Json;
using Rlp.Corpora;

namespace Rlp.Training.Checkpoints;

/// <summary>Size and SHA-256 (lower-case hexadecimal) of one file of a checkpoint.</summary>
public sealed record CheckpointFile(long Bytes, string Sha256);

/// <summary>
/// manifest.json: what a checkpoint is a checkpoint of, and the digests of its files. Holds everything with a cursor: sampling noise and
/// schedules are functions of seed and step. Without times or paths, so that equal states have equal manifests.
/// </summary>
public sealed record CheckpointManifest
{
    public int Format { get; init; } = 1;
    public required string RunId { get; init; }
    public required string Stage { get; init; }

    /// <summary>The last applied step; 0 before the first.</summary>
    public required long Step { get; init; }

    public required long PolicyVersion { get; init; }

    /// <summary>Where the data of the next step begin.</summary>
    public required DataCursor Cursor { get; init; }

    public required long Seed { get; init; }
    public required string RecipeSha256 { get; init; }
    public required string TokenizerFingerprint { get; init; }

    /// <summary>Digest of the policy's parameters, as journaled with the step.</summary>
    public required string ParametersSha256 { get; init; }

    public required SortedDictionary<string, CheckpointFile> Files { get; init; }

    private static readonly JsonSerializerOptions Json = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        WriteIndented = true,
        RespectRequiredConstructorParameters = true,
    };

    public byte[] ToJson() => JsonSerializer.SerializeToUtf8Bytes(this, Json);

    /// <exception cref="JsonException">Not a manifest.</exception>
    public static CheckpointManifest FromJson(byte[] json) => JsonSerializer.Deserialize<CheckpointManifest>(json, Json) ?? throw new JsonException("null");
}
