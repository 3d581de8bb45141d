using System.Runtime.InteropServices;
using System.Text.Json;
using Rlp.Training.Metrics;

namespace Rlp.Training.Measurement;

/// <summary>
/// What was measured on this machine, in the file that `rlp bench --save` writes and `rlp plan` reads. A measurement of one command replaces
/// its own figures and leaves the other's.
/// </summary>
public sealed record MachineRates
{
    private static readonly JsonSerializerOptions Json = new() { PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower, WriteIndented = true };

    /// <summary>Kind of machine, see <see cref="ThisMachine"/>: rates of another are none of this one.</summary>
    public required string Machine { get; init; }

    /// <summary>Intra-op threads of libtorch.</summary>
    public required int Threads { get; init; }

    /// <summary>See <see cref="MachinePeaks"/>.</summary>
    public required double GemmFlops { get; init; }

    /// <summary>See <see cref="MachinePeaks"/>.</summary>
    public required double ReadBytes { get; init; }

    /// <summary>Share of <see cref="GemmFlops"/> that a training step reaches; null: not measured.</summary>
    public double? TrainingUtilisation { get; init; }

    /// <summary>Share of the roofline that decoding reaches, see <see cref="DecodingRoofline"/>; null: not measured.</summary>
    public double? DecodingUtilisation { get; init; }

    /// <summary>Processor and cores.</summary>
    public static string ThisMachine => $"{RuntimeInformation.OSArchitecture} {Environment.ProcessorCount} cores, {RuntimeInformation.OSDescription}";

    /// <summary>rlp/rates.json in the user's cache folder: $XDG_CACHE_HOME, else ~/.cache.</summary>
    public static string DefaultFile => Path.Combine(
        Environment.GetEnvironmentVariable("XDG_CACHE_HOME") is { Length: > 0 } cache
            ? cache
            : Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".cache"),
        "rlp", "rates.json");

    /// <summary>This machine's ceilings; what is reached of them is not yet known.</summary>
    public static MachineRates Of(MachinePeaks peaks, int threads) => new()
    {
        Machine = ThisMachine,
        Threads = threads,
        GemmFlops = peaks.GemmFlops,
        ReadBytes = peaks.ReadBytes,
    };

    /// <summary>
    /// The rates in a file, if they are of this machine with so many threads; null where there is no file, or other ones are in it.
    /// </summary>
    /// <exception cref="InvalidDataException">The file holds something else.</exception>
    public static MachineRates? Read(string path, int threads)
    {
        if (!File.Exists(path)) return null;
        try
        {
            var rates = JsonSerializer.Deserialize<MachineRates>(File.ReadAllText(path), Json);
            return rates is not null && rates.Machine == ThisMachine && rates.Threads == threads ? rates : null;
        }
        catch (JsonException e)
        {
            throw new InvalidDataException($"{path}: no rates of a machine ({e.Message}); remove it, `rlp bench sampler --save` writes a new one", e);
        }
    }

    /// <summary>Adds these figures to those that the file has of the same machine and threads.</summary>
    /// <exception cref="IOException">The file cannot be written.</exception>
    public void Save(string path)
    {
        var before = Read(path, Threads);
        var merged = this with
        {
            TrainingUtilisation = TrainingUtilisation ?? before?.TrainingUtilisation,
            DecodingUtilisation = DecodingUtilisation ?? before?.DecodingUtilisation,
        };
        if (Path.GetDirectoryName(Path.GetFullPath(path)) is { } folder) Directory.CreateDirectory(folder);
        AtomicFile.Write(path, stream => JsonSerializer.Serialize(stream, merged, Json));
    }
}
