using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using System.Text.Json;
using System.Text.RegularExpressions;

namespace Rlp.Models.Hub;

/// <summary>
/// A model repository of a hub with Hugging Face's addresses: {endpoint}/api/models/{repository}/revision/{revision} lists it,
/// {endpoint}/{repository}/resolve/{revision}/{file} has its files.
/// </summary>
public sealed partial class HubRepository : IDisposable
{
    private const string PartSuffix = ".partial";

    private readonly HubSettings settings;
    private readonly HubClient client;
    private readonly string name;
    private readonly string revision;

    /// <param name="name">owner/name, or a name alone.</param>
    /// <param name="revision">A branch, a tag or a commit.</param>
    /// <exception cref="HubException">A name that no repository can have.</exception>
    public HubRepository(string name, string revision, HubSettings settings)
    {
        if (!RepositoryName().IsMatch(name) || name.Contains("..", StringComparison.Ordinal))
            throw new HubException($"'{name}' is no name of a repository; expected owner/name, as in Qwen/Qwen3-1.7B");
        if (string.IsNullOrWhiteSpace(revision) || revision.Any(char.IsControl) || revision.Split('/').Any(p => p is "" or "." or ".."))
            throw new HubException($"'{revision}' is no revision; expected a branch, a tag or a commit, as in main");
        if (settings.Endpoint.UserInfo.Length > 0)
            throw new HubException("the hub's address must not hold a name or password, which messages would show; pass a token");
        (this.name, this.revision, this.settings) = (name, revision, settings);
        client = new HubClient(settings);
    }

    private string Page => client.Address(name).AbsoluteUri;

    /// <summary>
    /// Fetches the model's files. They gather in FOLDER.partial, which is renamed once all are there and their checksums are right; a pull
    /// that was cut goes on there. A folder that already holds this commit is left as it is.
    /// </summary>
    /// <param name="folder">Must not exist, be empty, or hold the same commit of the same repository.</param>
    /// <exception cref="HubException">
    /// No access, no such repository, revision or file, names that lead outside the folder, a checksum that is wrong, a network that stays
    /// broken.
    /// </exception>
    /// <exception cref="IOException">The disk has too little room or cannot be written.</exception>
    public async Task<HubSnapshot> Pull(string folder, IProgress<HubProgress>? progress = null, CancellationToken cancellation = default)
    {
        folder = Path.TrimEndingDirectorySeparator(Path.GetFullPath(folder));
        var (commit, names) = await List(cancellation);
        if (Directory.Exists(folder) && Directory.EnumerateFileSystemEntries(folder).Any()) return AlreadyThere(folder, commit);
        if (File.Exists(folder)) throw new HubException($"{folder} is a file; expected a folder that is empty or does not exist");

        var unfinished = folder + ".partial";
        Directory.CreateDirectory(unfinished);
        if (!File.Exists(Path.Combine(unfinished, PullState.FileName))
            && Directory.EnumerateFileSystemEntries(unfinished).Any(e => e != LockFile(unfinished)))
            throw new HubException(
                $"{unfinished}, where the files would gather, is not empty and does not come from a pull; move it away first");
        IReadOnlyList<HubFile> files;
        using (Lock(unfinished))
        {
            var wanted = new List<RemoteFile>();
            foreach (var file in names) wanted.Add(await Look(file, commit, cancellation));
            var state = Continue(unfinished, commit, wanted);
            var there = wanted.Sum(f => Existing(unfinished, f.Name));
            FreeSpace.Require(unfinished, wanted.Sum(f => f.Bytes ?? 0) - there, $"the rest of {name}");
            var meter = new PullMeter(progress, wanted.All(f => f.Bytes is not null) ? wanted.Sum(f => f.Bytes) : null, there);
            foreach (var file in wanted) await Fetch(file, unfinished, state, meter, cancellation);
            files = FilesOf(state);
        }
        File.Delete(LockFile(unfinished));
        if (Directory.Exists(folder)) Directory.Delete(folder); // empty, or this throws
        Directory.Move(unfinished, folder);
        return new HubSnapshot(folder, name, revision, commit, files, AlreadyThere: false);
    }

    /// <param name="Tag">The hub's checksum; an empty one where it names none.</param>
    /// <param name="Bytes">Null where the hub does not say.</param>
    private sealed record RemoteFile(string Name, string Tag, long? Bytes);

    private async Task<(string Commit, IReadOnlyList<string> Files)> List(CancellationToken cancellation)
    {
        var what = $"repository '{name}', revision '{revision}'";
        var address = client.Address($"api/models/{name}/revision/{Uri.EscapeDataString(revision)}");
        var json = await client.Persist(what, async () =>
        {
            var (response, from) = await client.Send(HttpMethod.Get, address, null, null, cancellation);
            using (response)
            {
                client.Require(response, what, Page);
                return await client.WithinSilence(response.Content.ReadAsByteArrayAsync, from, cancellation);
            }
        }, null, cancellation);
        string commit;
        List<string> names;
        try
        {
            using var document = JsonDocument.Parse(json);
            commit = document.RootElement.TryGetProperty("sha", out var sha) ? sha.GetString() ?? "" : "";
            var siblings = document.RootElement.GetProperty("siblings").EnumerateArray();
            names = [.. siblings.Select(s => s.GetProperty("rfilename").GetString() ?? "").Distinct(StringComparer.Ordinal)];
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or KeyNotFoundException)
        {
            throw new HubException($"{what}: {address.Host} does not answer as a hub does: {e.Message}", e);
        }
        // Also those that are not wanted: such a repository is hostile.
        if (names.FirstOrDefault(n => !HubFiles.IsInside(n)) is { } outside)
            throw new HubException(
                $"{what} lists the file '{ForPeople(outside)}', whose name leads outside the folder; nothing was fetched");
        var wanted =
            names.Where(n => n != PullState.FileName && (settings.Wanted ?? HubFiles.IsWanted)(n)).Order(StringComparer.Ordinal).ToList();
        if (wanted.Count == 0 || (settings.Wanted is null && !wanted.Any(n => n.EndsWith(".safetensors", StringComparison.Ordinal))))
            throw new HubException($"{what} has no weights as safetensors; its files: {ForPeople(string.Join(", ", names.Take(20)))}");
        return (commit, wanted);
    }

    /// <summary>
    /// Asks for a file's checksum and size. The hub names them itself, also where it redirects to another host for the content.
    /// </summary>
    private async Task<RemoteFile> Look(string file, string commit, CancellationToken cancellation)
    {
        var what = What(file);
        return await client.Persist(what, async () =>
        {
            var (response, from) =
                await client.Send(HttpMethod.Head, Address(file), null, r => HubClient.Header(r, "X-Linked-Etag") is not null, cancellation);
            using (response)
            {
                var linked = HubClient.Header(response, "X-Linked-Etag");
                if (linked is null) client.Require(response, what, Page);
                if (commit.Length > 0 && client.IsEndpoint(from) && HubClient.Header(response, "X-Repo-Commit") is { Length: > 0 } at && at != commit)
                    throw new HubException(
                        $"{what}: the revision moved from commit {commit} to {ForPeople(at)} meanwhile; call again, or name a commit as the revision");
                // Another host's ETag may look like a checksum and be none.
                var tag = linked ?? (client.IsEndpoint(from) ? response.Headers.ETag?.Tag : null) ?? "";
                var bytes = long.TryParse(HubClient.Header(response, "X-Linked-Size"), NumberStyles.None, CultureInfo.InvariantCulture, out var size)
                    ? size
                    : linked is null ? response.Content.Headers.ContentLength : null;
                return new RemoteFile(file, ContentDigest.Bare(tag), bytes);
            }
        }, null, cancellation);
    }

    /// <summary>What an earlier call left that is still of use; the rest is deleted.</summary>
    private PullState Continue(string folder, string commit, List<RemoteFile> wanted)
    {
        var old = PullState.Read(folder);
        var state = new PullState { Repository = name, Revision = revision, Commit = commit };
        foreach (var file in wanted)
        {
            if (old is null || old.Repository != name || !old.Files.TryGetValue(file.Name, out var known)) continue;
            if (known.Tag == file.Tag && file.Tag.Length > 0) state.Files[file.Name] = known;
        }
        foreach (var path in Directory.EnumerateFiles(folder, "*", SearchOption.AllDirectories))
        {
            var relative = Path.GetRelativePath(folder, path).Replace(Path.DirectorySeparatorChar, '/');
            if (relative is PullState.FileName || path == LockFile(folder)) continue;
            var kept = state.Files.TryGetValue(relative, out var whole) && whole.Complete && whole.Bytes == new FileInfo(path).Length;
            kept |= relative.EndsWith(PartSuffix, StringComparison.Ordinal)
                && state.Files.TryGetValue(relative[..^PartSuffix.Length], out var part) && !part.Complete;
            if (!kept) File.Delete(path);
        }
        foreach (var file in wanted)
        {
            var lost = state.Files.TryGetValue(file.Name, out var known) && known.Complete && !File.Exists(Path.Combine(folder, file.Name));
            if (lost) state.Files.Remove(file.Name);
        }
        state.Write(folder);
        return state;
    }

    private async Task Fetch(RemoteFile file, string folder, PullState state, PullMeter meter, CancellationToken cancellation)
    {
        if (state.Files.TryGetValue(file.Name, out var known) && known.Complete) return;
        var path = Path.Combine(folder, file.Name);
        var part = path + PartSuffix;
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        if (file.Bytes is { } size && File.Exists(part) && new FileInfo(part).Length > size)
        {
            meter.Lose(new FileInfo(part).Length);
            File.Delete(part);
        }
        var most = meter.Bytes; // bytes that are lost and fetched again are nothing new
        if (!(File.Exists(part) && new FileInfo(part).Length == file.Bytes))
        {
            await client.Persist(What(file.Name), () => Receive(file, part, folder, state, meter, cancellation), () =>
            {
                var gained = meter.Bytes > most;
                most = Math.Max(most, meter.Bytes);
                return gained;
            }, cancellation);
        }
        var verified = ContentDigest.IsKnown(file.Tag);
        if (verified && ContentDigest.Compute(part, file.Tag) is var found && found != file.Tag)
        {
            File.Delete(part);
            throw new HubException(
                $"{What(file.Name)}: its checksum is {found}, expected {file.Tag}; what was fetched is damaged and was removed. "
                + "Call again to fetch it anew");
        }
        File.Move(part, path, overwrite: true);
        state.Files[file.Name] = new PullState.FileState(file.Tag, null, new FileInfo(path).Length, Complete: true, verified);
        state.Write(folder);
        meter.Report(file.Name);
    }

    /// <summary>One request for what is still missing of a file.</summary>
    private async Task<bool> Receive(RemoteFile file, string part, string folder, PullState state, PullMeter meter, CancellationToken cancellation)
    {
        var hostTag = state.Files.TryGetValue(file.Name, out var known) ? known.HostTag : null;
        var strong = EntityTagHeaderValue.TryParse(hostTag, out var parsed) && !parsed.IsWeak ? parsed : null;
        await using var stream = new FileStream(part, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None, 1 << 16);
        // Without a checksum for the whole and a tag for the part, two halves of different files could be joined.
        if (stream.Length > 0 && strong is null && !ContentDigest.IsKnown(file.Tag)) StartOver(stream, meter);
        var offset = stream.Length;

        var (response, from) = await client.Send(HttpMethod.Get, Address(file.Name), request =>
        {
            if (offset == 0) return;
            request.Headers.Range = new RangeHeaderValue(offset, null);
            if (strong is not null) request.Headers.IfRange = new RangeConditionHeaderValue(strong);
        }, null, cancellation);
        using (response)
        {
            if (response.StatusCode == HttpStatusCode.RequestedRangeNotSatisfiable && offset > 0)
            {
                StartOver(stream, meter);
                throw new TransientHubException($"{What(file.Name)}: the server has no bytes after {offset}", null, TimeSpan.Zero);
            }
            client.Require(response, What(file.Name), Page);
            var range = response.Content.Headers.ContentRange;
            var continues = response.StatusCode == HttpStatusCode.PartialContent && range?.From == offset
                && (file.Bytes is null || range.Length is null || range.Length == file.Bytes);
            if (response.StatusCode == HttpStatusCode.PartialContent && !continues)
            {
                StartOver(stream, meter);
                throw new TransientHubException(
                    $"{What(file.Name)}: the server sent another range than bytes {offset} to the end", null, TimeSpan.Zero);
            }
            if (!continues) StartOver(stream, meter);
            state.Files[file.Name] = new PullState.FileState(file.Tag, response.Headers.ETag?.ToString(), 0, Complete: false, Verified: false);
            state.Write(folder);
            await Append(response, from, stream, file, meter, cancellation);
        }
        stream.Flush(flushToDisk: true);
        return true;
    }

    private async Task Append(HttpResponseMessage response, Uri from, FileStream stream, RemoteFile file, PullMeter meter, CancellationToken cancellation)
    {
        stream.Position = stream.Length;
        await using var body = await client.WithinSilence(response.Content.ReadAsStreamAsync, from, cancellation);
        var buffer = new byte[1 << 18];
        while (true)
        {
            var read = await client.WithinSilence(patience => body.ReadAsync(buffer, patience).AsTask(), from, cancellation);
            if (read == 0) break;
            if (stream.Position + read > file.Bytes)
                throw new HubException($"{What(file.Name)}: the server sends more than the {file.Bytes} bytes that it announced");
            await stream.WriteAsync(buffer.AsMemory(0, read), cancellation);
            meter.Gain(file.Name, read);
        }
        if (file.Bytes is { } size && stream.Position < size)
            throw new TransientHubException($"{from.Host} ended after {stream.Position} of {size} bytes", null);
    }

    private HubSnapshot AlreadyThere(string folder, string commit)
    {
        var state = PullState.Read(folder) ?? throw new HubException(
            $"{folder} is not empty and does not come from a pull; nothing is overwritten. Choose another folder or empty it first");
        if (state.Repository != name || state.Commit != commit || commit.Length == 0)
            throw new HubException(
                $"{folder} holds {state.Repository} at {state.Commit}, not {name} at {commit}; nothing is overwritten. "
                + "Choose another folder or remove it first");
        foreach (var (file, known) in state.Files)
        {
            var info = new FileInfo(Path.Combine(folder, file));
            if (!info.Exists || info.Length != known.Bytes)
                throw new HubException(
                    $"{folder} was pulled before, but '{file}' now has {(info.Exists ? info.Length : 0)} bytes instead of {known.Bytes}; "
                    + "remove the folder and pull again");
        }
        return new HubSnapshot(folder, name, revision, commit, FilesOf(state), AlreadyThere: true);
    }

    private static IReadOnlyList<HubFile> FilesOf(PullState state) =>
        [.. state.Files.Select(f => new HubFile(f.Key, f.Value.Bytes, f.Value.Tag, f.Value.Verified))];

    private static string LockFile(string folder) => Path.Combine(folder, ".pull.lock");

    private static FileStream Lock(string folder)
    {
        try
        {
            return new FileStream(LockFile(folder), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        }
        catch (IOException e)
        {
            throw new HubException($"{folder} is in use: another process pulls into it, or it cannot be written ({e.Message})", e);
        }
    }

    private static long Existing(string folder, string file)
    {
        var path = Path.Combine(folder, file);
        return File.Exists(path) ? new FileInfo(path).Length : File.Exists(path + PartSuffix) ? new FileInfo(path + PartSuffix).Length : 0;
    }

    private static void StartOver(FileStream stream, PullMeter meter)
    {
        meter.Lose(stream.Length);
        stream.SetLength(0);
    }

    private Uri Address(string file) =>
        client.Address($"{name}/resolve/{Uri.EscapeDataString(revision)}/{string.Join('/', file.Split('/').Select(Uri.EscapeDataString))}");

    private string What(string file) => $"'{file}' of repository '{name}', revision '{revision}'";

    private static string ForPeople(string text) => new([.. text.Select(c => char.IsControl(c) ? '?' : c).Take(500)]);

    public void Dispose() => client.Dispose();

    [GeneratedRegex(@"^[A-Za-z0-9][A-Za-z0-9._-]{0,95}(/[A-Za-z0-9][A-Za-z0-9._-]{0,95})?\z")]
    private static partial Regex RepositoryName();
}
