using System.Security.Cryptography;
using System.Text.Json;
using Rlp.Training.Engines;

namespace Rlp.Training.Checkpoints;

/// <summary>
/// A checkpoint is a folder of safetensors files and a manifest. It is written under a temporary name, flushed, and renamed: a folder without
/// the suffix <see cref="Unfinished"/> is whole, whatever happened to the process that wrote it.
/// </summary>
public static class CheckpointFolder
{
    public const string Policy = "policy.safetensors";
    public const string Teacher = "teacher.safetensors";
    public const string Optimizer = "optimizer.safetensors";

    /// <summary>pi_ref of the KL penalty; only where beta is above zero.</summary>
    public const string Reference = "reference.safetensors";

    public const string ModelConfig = "config.json";

    /// <summary>An older policy that a step after the checkpoint is sampled with; only where the staleness is above zero.</summary>
    public static string Behaviour(long version) => $"behaviour-{version}.safetensors";

    /// <summary>The teacher that belongs to <see cref="Behaviour"/>.</summary>
    public static string BehaviourTeacher(long version) => $"behaviour-teacher-{version}.safetensors";

    public const string Manifest = "manifest.json";

    /// <summary>Suffix of a folder that is being written; one found later is what a crash left behind.</summary>
    public const string Unfinished = ".tmp";

    /// <summary>runs/ID/checkpoints/STAGE/step-00000042.tmp</summary>
    public static string UnfinishedPath(string runFolder, string stage, long step) =>
        Path.Combine(runFolder, "checkpoints", stage, $"step-{step:D8}{Unfinished}");

    /// <summary>What an unfinished folder is called once it is sealed.</summary>
    public static string SealedPath(string unfinished) => unfinished.EndsWith(Unfinished, StringComparison.Ordinal)
        ? unfinished[..^Unfinished.Length]
        : throw new ArgumentException($"'{unfinished}' does not end in '{Unfinished}'", nameof(unfinished));

    /// <summary>What processes that died left unfinished in a run's folder.</summary>
    public static IReadOnlyList<string> FindUnfinished(string runFolder)
    {
        var checkpoints = Path.Combine(runFolder, "checkpoints");
        return Directory.Exists(checkpoints)
            ? [.. Directory.GetDirectories(checkpoints).SelectMany(stage => Directory.GetDirectories(stage, $"*{Unfinished}"))]
            : [];
    }

    /// <summary>Completes the manifest with the files' digests, flushes, and renames the folder to its final name.</summary>
    public static CheckpointReference Seal(string folder, CheckpointManifest manifest)
    {
        var final = SealedPath(folder);
        var files = new SortedDictionary<string, CheckpointFile>(StringComparer.Ordinal);
        foreach (var path in Directory.EnumerateFiles(folder))
            if (Path.GetFileName(path) != Manifest) files[Path.GetFileName(path)] = Digest(path);
        var json = (manifest with { Files = files }).ToJson();
        using (var stream = new FileStream(Path.Combine(folder, Manifest), FileMode.Create, FileAccess.Write, FileShare.None))
        {
            stream.Write(json);
            stream.Flush(flushToDisk: true);
        }
        if (Directory.Exists(final)) Directory.Delete(final, recursive: true); // sealed before a crash but never journaled, or found corrupt
        Directory.Move(folder, final);
        return new CheckpointReference(manifest.Stage, manifest.Step, final, Convert.ToHexStringLower(SHA256.HashData(json)));
    }

    /// <summary>Reads the manifest and checks every file against it.</summary>
    /// <exception cref="CheckpointException">Anything missing, changed or added.</exception>
    public static CheckpointManifest Verify(CheckpointReference reference)
    {
        var path = Path.Combine(reference.Path, Manifest);
        if (!File.Exists(path)) throw new CheckpointException($"checkpoint {reference.Path}: {Manifest} is missing");
        var json = File.ReadAllBytes(path);
        var found = Convert.ToHexStringLower(SHA256.HashData(json));
        if (found != reference.Sha256) throw new CheckpointException($"checkpoint {path}: SHA-256 is {found}, the journal says {reference.Sha256}");
        CheckpointManifest manifest;
        try
        {
            manifest = CheckpointManifest.FromJson(json);
        }
        catch (JsonException e)
        {
            throw new CheckpointException($"checkpoint {path}: not a manifest: {e.Message}", e);
        }
        foreach (var (name, expected) in manifest.Files)
        {
            var file = Path.Combine(reference.Path, name);
            if (!File.Exists(file)) throw new CheckpointException($"checkpoint {reference.Path}: {name} is missing");
            var actual = Digest(file);
            if (actual != expected)
                throw new CheckpointException($"checkpoint {file}: {actual.Bytes} bytes with SHA-256 {actual.Sha256}, expected {expected.Bytes} bytes with {expected.Sha256}");
        }
        return manifest;
    }

    private static CheckpointFile Digest(string path)
    {
        using var stream = File.OpenRead(path);
        return new CheckpointFile(stream.Length, Convert.ToHexStringLower(SHA256.HashData(stream)));
    }
}
