using System.Text.Json;

namespace Rlp.Models.Hub;

/// <summary>
/// .pull.json beside the pulled files: what they are. While a pull goes on it also says what a part of a file is a part of, so that a later
/// call goes on where this one was cut.
/// </summary>
internal sealed class PullState
{
    public const string FileName = ".pull.json";

    private static readonly JsonSerializerOptions Json =
        new() { PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower, WriteIndented = true };

    public string Repository { get; set; } = "";

    public string Revision { get; set; } = "";

    public string Commit { get; set; } = "";

    public SortedDictionary<string, FileState> Files { get; set; } = new(StringComparer.Ordinal);

    /// <param name="Tag">The hub's checksum of the content.</param>
    /// <param name="HostTag">The ETag of the host that serves the content, for If-Range; another than the hub's where the hub
    /// redirects.</param>
    /// <param name="Complete">The file has its final name and its checksum was right, where it could be checked.</param>
    public sealed record FileState(string Tag, string? HostTag, long Bytes, bool Complete, bool Verified);

    /// <summary>Null where there is none or it cannot be used: then nothing that lies beside it is trusted.</summary>
    public static PullState? Read(string folder)
    {
        try
        {
            return JsonSerializer.Deserialize<PullState>(File.ReadAllBytes(Path.Combine(folder, FileName)), Json);
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException or JsonException)
        {
            return null;
        }
    }

    public void Write(string folder)
    {
        var path = Path.Combine(folder, FileName);
        var temporary = path + ".tmp";
        using (var file = new FileStream(temporary, FileMode.Create, FileAccess.Write, FileShare.None))
        {
            JsonSerializer.Serialize(file, this, Json);
            file.Flush(flushToDisk: true);
        }
        File.Move(temporary, path, overwrite: true);
    }
}
