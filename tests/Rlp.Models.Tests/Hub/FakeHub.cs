using System.Collections.Concurrent;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using Microsoft.Net.Http.Headers;

namespace Rlp.Models.Tests.Hub;

/// <summary>One request that a <see cref="FakeHub"/> has seen.</summary>
internal sealed record SeenRequest(string Method, string Path, string? Authorization, string? Range, string? IfRange);

/// <summary>
/// A hub on the loopback interface: Hugging Face's addresses and headers over files in memory, and whatever a test wants to go wrong.
/// </summary>
internal sealed class FakeHub : IAsyncDisposable
{
    public const string Repository = "tiny/model", Commit = "0123456789abcdef0123456789abcdef01234567";

    private readonly WebApplication app;

    private FakeHub()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        app = builder.Build();
        app.Run(Answer);
    }

    public Dictionary<string, byte[]> Files { get; } = new(StringComparer.Ordinal);

    /// <summary>Names that the listing has beside those of the files.</summary>
    public List<string> AlsoListed { get; } = [];

    public ConcurrentQueue<SeenRequest> Seen { get; } = [];

    public string Head { get; set; } = Commit;

    /// <summary>Serves large files from there instead of itself.</summary>
    public FakeHub? Storage { get; set; }

    /// <summary>Sees each request first; true: it has answered.</summary>
    public Func<HttpContext, Task<bool>>? Before { get; set; }

    /// <summary>Breaks the connection of a content request after so many bytes of what it was to send; null: does not.</summary>
    public Func<string, int?> CutAfter { get; set; } = _ => null;

    public Uri Address => new(app.Urls.Single());

    public static async Task<FakeHub> Start()
    {
        var hub = new FakeHub();
        await hub.app.StartAsync();
        return hub;
    }

    public IEnumerable<SeenRequest> Contents(string file) =>
        Seen.Where(r => r.Method == "GET" && r.Path.EndsWith("/" + file, StringComparison.Ordinal));

    public ValueTask DisposeAsync() => app.DisposeAsync();

    public static string Sha256(byte[] bytes) => Convert.ToHexStringLower(SHA256.HashData(bytes));

    public static string GitBlob(byte[] bytes) =>
        Convert.ToHexStringLower(SHA1.HashData([.. Encoding.ASCII.GetBytes($"blob {bytes.Length}\0"), .. bytes]));

    private async Task Answer(HttpContext context)
    {
        var (request, response) = (context.Request, context.Response);
        Seen.Enqueue(new SeenRequest(request.Method, request.Path, request.Headers.Authorization, request.Headers.Range, request.Headers.IfRange));
        if (Before is not null && await Before(context)) return;

        if (request.Path == $"/api/models/{Repository}/revision/main")
        {
            await response.WriteAsJsonAsync(new { id = Repository, sha = Head, siblings = Files.Keys.Concat(AlsoListed).Select(f => new { rfilename = f }) });
            return;
        }
        var prefix = $"/{Repository}/resolve/main/";
        var stored = request.Path.Value!.StartsWith("/stored/", StringComparison.Ordinal);
        var name = stored ? request.Path.Value["/stored/".Length..] : request.Path.Value.StartsWith(prefix, StringComparison.Ordinal) ? request.Path.Value[prefix.Length..] : "";
        if (!Files.TryGetValue(name, out var content))
        {
            response.StatusCode = 404;
            response.Headers["X-Error-Code"] = name.Length > 0 ? "EntryNotFound" : "RepoNotFound";
            return;
        }
        if (!stored) response.Headers["X-Repo-Commit"] = Head;
        if (!stored && name.EndsWith(".safetensors", StringComparison.Ordinal))
        {
            response.Headers["X-Linked-Etag"] = $"\"{Sha256(content)}\"";
            response.Headers["X-Linked-Size"] = content.Length.ToString(CultureInfo.InvariantCulture);
            if (Storage is not null)
            {
                response.Redirect($"{Storage.Address.AbsoluteUri}stored/{name}");
                return;
            }
        }
        await Send(context, name, content, stored ? "\"storage-" + content.Length + "\"" : $"\"{GitBlob(content)}\"");
    }

    private async Task Send(HttpContext context, string name, byte[] content, string tag)
    {
        var (request, response) = (context.Request, context.Response);
        response.Headers.ETag = tag;
        var begin = 0;
        if (RangeHeaderValue.TryParse(request.Headers.Range.ToString(), out var range) && (request.Headers.IfRange.Count == 0 || request.Headers.IfRange == tag))
        {
            begin = (int)range.Ranges.Single().From!.Value;
            if (begin >= content.Length)
            {
                response.StatusCode = 416;
                return;
            }
            response.StatusCode = 206;
            response.Headers.ContentRange = $"bytes {begin}-{content.Length - 1}/{content.Length}";
        }
        response.ContentLength = content.Length - begin;
        if (request.Method == "HEAD") return;
        if (CutAfter(name) is { } count)
        {
            await response.Body.WriteAsync(content.AsMemory(begin, Math.Min(count, content.Length - begin)));
            return; // fewer bytes than announced: Kestrel closes the connection, and what was sent arrives
        }
        await response.Body.WriteAsync(content.AsMemory(begin));
    }
}
