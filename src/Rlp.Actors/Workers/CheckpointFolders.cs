using System.Globalization;
using System.Security.Cryptography;
using Rlp.Protocol.Payloads;

namespace Rlp.Actors.Workers;

/// <summary>Where a run's checkpoints lie: RUN/checkpoints/STAGE/step-N, and step-N.tmp while one is made.</summary>
internal static class CheckpointFolders
{
    private const string Making = ".tmp";

    public static string Temporary(string runFolder, string stage, long step) =>
        Path.Combine(runFolder, "checkpoints", stage, string.Create(CultureInfo.InvariantCulture, $"step-{step}{Making}"));

    public static string Final(string temporary) => temporary.EndsWith(Making, StringComparison.Ordinal) ? temporary[..^Making.Length] : temporary;

    /// <summary>Why a committed checkpoint cannot be opened; null where its manifest is the one that was journaled.</summary>
    public static string? Defect(WireCheckpoint checkpoint)
    {
        var manifest = Path.Combine(checkpoint.Path, "manifest.json");
        if (!Directory.Exists(checkpoint.Path))
            return $"the folder {checkpoint.Path} is missing";
        if (!File.Exists(manifest))
            return $"{manifest} is missing";
        using var stream = File.OpenRead(manifest);
        var found = Convert.ToHexStringLower(SHA256.HashData(stream));
        return found == checkpoint.Sha256 ? null : $"the SHA-256 of {manifest} is {found}, not the journaled {checkpoint.Sha256}";
    }
}
