using System.Net;
using System.Net.Http.Headers;
using System.Net.Security;
using System.Security.Cryptography.X509Certificates;
using Rlp.Actors.Hosting;
using Rlp.Training.Weights;

namespace Rlp.Actors.Weights;

/// <summary>Weights over HTTP: what this node publishes under its endpoint's address, what others publish from theirs.</summary>
/// <param name="endpoint">The address of this node's endpoint, known when it has started.</param>
internal sealed class HttpWeightChannel(Func<Uri> endpoint, NodeCredentials credentials) : IWeightChannel, IDisposable
{
    private readonly HttpClient client = new(new SocketsHttpHandler
    {
        ConnectTimeout = TimeSpan.FromSeconds(10),
        PooledConnectionIdleTimeout = TimeSpan.FromMinutes(1),
        MaxResponseHeadersLength = 16, // KiB
        AllowAutoRedirect = false, // the token is for nodes, not for whom they point to
        UseCookies = false,
        UseProxy = false,
        SslOptions = new SslClientAuthenticationOptions
        {
            RemoteCertificateValidationCallback = (_, certificate, chain, _) => credentials.Trusts(certificate as X509Certificate2, chain),
        },
    })
    {
        Timeout = Timeout.InfiniteTimeSpan, // the reader's own: a transfer may take long as long as bytes come
    };

    public string Node => endpoint().Authority;

    public string UrlOf(string runId, string name, long version) => new Uri(endpoint(), WeightRoutes.PathOf(runId, name, version)).AbsoluteUri;

    public async Task<Stream> OpenAsync(WeightReference reference, CancellationToken cancellation)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, Address(reference));
        request.Version = HttpVersion.Version20;
        request.VersionPolicy = HttpVersionPolicy.RequestVersionOrLower;
        if (credentials.Token is { } token) request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", token);
        HttpResponseMessage response;
        try
        {
            response = await client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancellation);
        }
        catch (HttpRequestException e)
        {
            throw new WeightTransferException($"{reference} cannot be reached: {(e.InnerException ?? e).Message}", e);
        }
        if (response is { StatusCode: HttpStatusCode.OK, Content.Headers.ContentLength: { } length } && length == reference.Bytes)
            return await response.Content.ReadAsStreamAsync(cancellation); // its end is the response's
        using (response) throw await Refusal(reference, response, cancellation);
    }

    private Uri Address(WeightReference reference) =>
        !Uri.TryCreate(reference.Url, UriKind.Absolute, out var url) || url.Scheme is not ("http" or "https")
            ? throw new WeightTransferException($"{reference}: its address is no http or https URL") { Final = true }
        : credentials.Certificate is not null && url.Scheme != "https"
            ? throw new WeightTransferException($"{reference}: this node has TLS (node.tls) and takes weights only over https; configure the publisher's node alike") { Final = true }
        : url;

    private static async Task<WeightTransferException> Refusal(WeightReference reference, HttpResponseMessage response, CancellationToken cancellation)
    {
        if (response.StatusCode == HttpStatusCode.OK)
            return new WeightTransferException($"{reference}: expected {reference.Bytes} bytes, found {response.Content.Headers.ContentLength?.ToString() ?? "no length"}");
        var text = new byte[500];
        await using var body = await response.Content.ReadAsStreamAsync(cancellation);
        var count = await body.ReadAtLeastAsync(text, text.Length, throwOnEndOfStream: false, cancellation);
        var said = System.Text.Encoding.UTF8.GetString(text, 0, count).Trim();
        return new WeightTransferException($"{reference} was refused with status {(int)response.StatusCode}: {said}")
        {
            Final = response.StatusCode is not (HttpStatusCode.ServiceUnavailable or HttpStatusCode.InternalServerError or HttpStatusCode.RequestTimeout),
        };
    }

    public void Dispose() => client.Dispose();
}
