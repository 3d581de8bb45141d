using System.Buffers;
using System.Globalization;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Rlp.Actors.Hosting;
using Rlp.Actors.Telemetry;
using Rlp.Training.Weights;

namespace Rlp.Actors.Weights;

/// <summary>
/// GET /weights/RUN/NAME/VERSION: the bytes of one version of a run's weights, as they lie in the arena. The body is the flat tensor of
/// <see cref="Rlp.Models.ArenaLayout"/> (its slots in their order, each leaf padded to 64 bytes), little-endian, in the type that the header says.
/// </summary>
/// <remarks>
/// Headers of the answer: Content-Length; x-rlp-dtype, float32 or bfloat16; x-rlp-sha256 of the body. Refusals: 400 for what is no run, name or
/// version; 401 without the token; 404 for a run or name that is not published on this node; 410 for a version that is not held; 413 for a request
/// with a body; 503 (Retry-After) where too many transfers are under way. A version that goes while it is sent ends the connection: never are
/// bytes of two versions sent, see <see cref="PublishedWeights"/>.
/// </remarks>
internal sealed class WeightRoutes(NodeWeights weights, long bytesPerSecond, RefusalLog log) : INodeRoutes, IDisposable
{
    public const string Sha256Header = "x-rlp-sha256";
    public const string DtypeHeader = "x-rlp-dtype";

    private const int Piece = 1 << 20; // bytes: copied in about 0.1 ms
    private const int MostTransfers = 32;
    private static readonly TimeSpan TurnWithin = TimeSpan.FromSeconds(20);

    private readonly SemaphoreSlim transfers = new(MostTransfers);
    private readonly Pace pace = new(bytesPerSecond);
    private long bytesSent;

    /// <summary>Bytes of weights sent to other nodes so far.</summary>
    public long BytesSent => Volatile.Read(ref bytesSent);

    public static string PathOf(string runId, string name, long version) =>
        string.Create(CultureInfo.InvariantCulture, $"/weights/{Uri.EscapeDataString(runId)}/{Uri.EscapeDataString(name)}/{version}");

    public void Map(IEndpointRouteBuilder routes) => routes.MapGet("/weights/{run}/{name}/{version}", Serve);

    private async Task Serve(HttpContext http)
    {
        var (run, name, written) = (Segment("run"), Segment("name"), Segment("version"));
        if (!IsWord(run) || !IsWord(name) || !long.TryParse(written, NumberStyles.None, CultureInfo.InvariantCulture, out var version))
        {
            await NodeEndpoint.Answer(http, StatusCodes.Status400BadRequest, "expected /weights/RUN/NAME/VERSION with a whole number for the version");
            return;
        }
        if (weights.Find(run, name) is not { } published)
        {
            await NodeEndpoint.Answer(http, StatusCodes.Status404NotFound, $"no '{name}' of run '{run}' is published on this node");
            return;
        }
        var held = published.Held;
        var found = held.FirstOrDefault(h => h.Version == version);
        if (string.IsNullOrEmpty(found.Sha256))
        {
            await NodeEndpoint.Answer(http, StatusCodes.Status410Gone, $"{name} {version} of run '{run}' is not held; held are: {string.Join(", ", held.Select(h => h.Version))}");
            return;
        }
        if (!await transfers.WaitAsync(TurnWithin, http.RequestAborted))
        {
            http.Response.Headers.RetryAfter = "1";
            await NodeEndpoint.Answer(http, StatusCodes.Status503ServiceUnavailable, $"{MostTransfers} transfers are under way");
            return;
        }
        try
        {
            http.Response.ContentType = "application/octet-stream";
            http.Response.ContentLength = published.Bytes;
            http.Response.Headers[Sha256Header] = found.Sha256;
            http.Response.Headers[DtypeHeader] = published.Dtype.ToString().ToLowerInvariant();
            await Send(http, published, version, found.Sha256);
        }
        finally
        {
            transfers.Release();
        }

        string Segment(string key) => http.Request.RouteValues[key] as string ?? "";
    }

    private async Task Send(HttpContext http, PublishedWeights published, long version, string sha256)
    {
        var buffer = ArrayPool<byte>.Shared.Rent(Piece);
        try
        {
            for (long sent = 0; sent < published.Bytes;)
            {
                var count = (int)Math.Min(Piece, published.Bytes - sent);
                if (!published.TryCopy(version, sha256, sent, buffer.AsSpan(0, count)))
                {
                    log.Add($"{http.Request.Path} ended after {sent} of {published.Bytes} bytes: version {version} is no longer held");
                    http.Abort();
                    return;
                }
                await pace.WaitAsync(count, http.RequestAborted);
                await http.Response.Body.WriteAsync(buffer.AsMemory(0, count), http.RequestAborted);
                sent += count;
                Interlocked.Add(ref bytesSent, count);
                NodeTelemetry.WeightBytes.Add(count);
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    private static bool IsWord(string text) => text.Length is > 0 and <= 128 && text.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_' or '.');

    public void Dispose() => transfers.Dispose();
}
