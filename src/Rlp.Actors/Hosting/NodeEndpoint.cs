using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Https;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Rlp.Actors.Hosting;

/// <summary>
/// The node's HTTP endpoint, in its own process: a small Kestrel that serves what others add to it, and refuses the rest with a status and a line in
/// the node's log. HTTP/2 where a certificate is configured; in the clear HTTP/1.1, because one plaintext port cannot speak both and browsers,
/// probes and collectors of metrics speak HTTP/1.1.
/// </summary>
/// <remarks>
/// Its work runs on the .NET thread pool, in pieces of well under a millisecond; heartbeats and remoting have threads of their own (see
/// <see cref="Dispatchers"/>), so that no transfer delays them.
/// </remarks>
internal sealed class NodeEndpoint(NodeOptions options, NodeCredentials credentials, RefusalLog refusals, IReadOnlyList<INodeRoutes> routes) : IHostedService
{
    /// <summary>Of the requests that may have a body: a recipe is a few pages of text.</summary>
    private const int LargestBody = 1 << 20;

    private const int MostConnections = 256;

    /// <summary>A crowd from one machine leaves room for others, probes among them.</summary>
    private const int MostConnectionsOfOneAddress = 128;

    private readonly ConcurrentDictionary<IPAddress, int> connections = new();

    private WebApplication? app;
    private Uri? address;

    /// <summary>Where other nodes reach it; known once it is started.</summary>
    public Uri Address => address ?? throw new InvalidOperationException("the node's HTTP endpoint has not been started");

    /// <exception cref="InvalidOperationException">Address or port cannot be bound.</exception>
    public async Task StartAsync(CancellationToken cancellationToken)
    {
        app = Build();
        app.Use(Guard);
        foreach (var part in routes) part.Map(app);
        try
        {
            await app.StartAsync(cancellationToken);
        }
        catch (Exception e) when (e is IOException or System.Net.Sockets.SocketException)
        {
            throw new InvalidOperationException(
                $"the node's HTTP endpoint cannot listen on {options.Host}:{options.HttpPort}: {e.Message} Choose another node.http-port (0 takes a free one) or node.host", e);
        }
        var bound = new Uri(app.Urls.Single());
        address = new UriBuilder(credentials.Certificate is null ? "http" : "https", options.Host, bound.Port).Uri;
    }

    public async Task StopAsync(CancellationToken cancellationToken)
    {
        if (app is null) return;
        using var soon = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        soon.CancelAfter(TimeSpan.FromSeconds(2)); // a reader that is cut off tries again, elsewhere
        await app.StopAsync(soon.Token);
        await app.DisposeAsync();
        app = null;
    }

    private WebApplication Build()
    {
        // Empty: no configuration from files or the environment, no signal handlers; the host of the node decides.
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.Services.AddSingleton<IHostLifetime, Quiet>();
        builder.Services.AddRoutingCore();
        builder.Logging.ClearProviders().SetMinimumLevel(LogLevel.Warning).AddProvider(refusals);
        // What Kestrel refuses before any of our code sees it.
        builder.Logging.AddFilter("Microsoft.AspNetCore.Server.Kestrel.BadRequests", LogLevel.Debug);
        builder.Logging.AddFilter("Microsoft.AspNetCore.Server.Kestrel.Https", LogLevel.Debug);
        builder.WebHost.UseKestrelCore().UseKestrelHttpsConfiguration().ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            var limits = kestrel.Limits;
            limits.MaxConcurrentConnections = MostConnections;
            limits.MaxConcurrentUpgradedConnections = MostConnections;
            limits.MaxRequestBodySize = LargestBody;
            limits.MaxRequestLineSize = 2 << 10;
            limits.MaxRequestHeadersTotalSize = 8 << 10;
            limits.MaxRequestHeaderCount = 32;
            limits.RequestHeadersTimeout = TimeSpan.FromSeconds(10);
            limits.KeepAliveTimeout = TimeSpan.FromMinutes(1);
            limits.MinResponseDataRate = new MinDataRate(bytesPerSecond: 64 << 10, gracePeriod: TimeSpan.FromSeconds(10));
            limits.MaxResponseBufferSize = 1 << 20;
            limits.Http2.MaxStreamsPerConnection = 16;
            kestrel.Listen(Bound(options.Host), options.HttpPort ?? 0, listen =>
            {
                listen.Protocols = HttpProtocols.Http1;
                listen.Use(Count); // before the handshake
                if (credentials.Certificate is not { } certificate) return;
                listen.Protocols = HttpProtocols.Http1AndHttp2;
                listen.UseHttps(new HttpsConnectionAdapterOptions { ServerCertificate = certificate, HandshakeTimeout = TimeSpan.FromSeconds(10) });
            });
        });
        return builder.Build();
    }

    private static IPAddress Bound(string host) =>
        IPAddress.TryParse(host, out var parsed) ? parsed
        : NodeCredentials.IsLoopback(host) ? IPAddress.Loopback
        : Dns.GetHostAddresses(host).FirstOrDefault() ?? throw new InvalidOperationException($"node.host is '{host}', which has no address");

    private ConnectionDelegate Count(ConnectionDelegate next) => async connection =>
    {
        var address = ((IPEndPoint)connection.RemoteEndPoint!).Address;
        try
        {
            if (connections.AddOrUpdate(address, 1, (_, count) => count + 1) <= MostConnectionsOfOneAddress) await next(connection);
            else refusals.Add($"a connection from {address}: it has {MostConnectionsOfOneAddress} already");
        }
        finally
        {
            if (connections.AddOrUpdate(address, 0, (_, count) => count - 1) == 0) connections.TryRemove(new(address, 0));
        }
    };

    /// <summary>Before every route: no bodies, the token, and no exception that is not logged.</summary>
    private async Task Guard(HttpContext http, RequestDelegate next)
    {
        var request = http.Request;
        var hasBody = request.ContentLength > 0 || http.Features.Get<IHttpRequestBodyDetectionFeature>() is { CanHaveBody: true };
        if (hasBody && !routes.Any(r => r.TakesBody(request)))
        {
            await Refuse(http, StatusCodes.Status413PayloadTooLarge, "this request has no body");
            return;
        }
        if (routes.All(r => r.NeedsToken(request)) && !credentials.Admits(request.Headers.Authorization.ToString()))
        {
            http.Response.Headers.WWWAuthenticate = "Bearer";
            await Refuse(http, StatusCodes.Status401Unauthorized, "the token is missing or wrong (node.token-file must hold the same on every node)");
            return;
        }
        try
        {
            await next(http);
        }
        catch (OperationCanceledException) when (http.RequestAborted.IsCancellationRequested)
        {
            return; // who asked has gone
        }
        catch (Exception e) when (!http.Response.HasStarted)
        {
            await Refuse(http, StatusCodes.Status500InternalServerError, $"{e.GetType().Name}: {e.Message}");
            return;
        }
        if (http.Response.StatusCode >= 400) Log(http, "");
    }

    private Task Refuse(HttpContext http, int status, string why)
    {
        Log(http, why, status);
        return Answer(http, status, why);
    }

    /// <summary>Answers with a status and one line of text.</summary>
    public static Task Answer(HttpContext http, int status, string text)
    {
        http.Response.StatusCode = status;
        http.Response.ContentType = "text/plain; charset=utf-8";
        if (status == StatusCodes.Status413PayloadTooLarge && !HttpProtocol.IsHttp2(http.Request.Protocol))
            http.Response.Headers.Connection = "close"; // what follows is not read
        return http.Response.WriteAsync(text + "\n", http.RequestAborted);
    }

    private void Log(HttpContext http, string why, int? status = null)
    {
        var path = http.Request.Path.ToString();
        refusals.Add(string.Create(
            CultureInfo.InvariantCulture,
            $"{status ?? http.Response.StatusCode} for {http.Request.Method} {(path.Length <= 200 ? path : path[..200] + "...")} from {http.Connection.RemoteIpAddress}{(why.Length == 0 ? "" : ": " + why)}"));
    }

    /// <summary>The endpoint begins and ends with its node.</summary>
    private sealed class Quiet : IHostLifetime
    {
        public Task WaitForStartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    }
}
