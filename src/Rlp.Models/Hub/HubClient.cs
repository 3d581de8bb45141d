using System.Net;
using System.Net.Http.Headers;

namespace Rlp.Models.Hub;

/// <summary>HTTP to a hub: redirects that do not carry the token away, tries with growing pauses, and errors that say what to do.</summary>
internal sealed class HubClient : IDisposable
{
    private const int MostRedirects = 10;
    private const long LongestDocument = 64 << 20;

    private readonly HubSettings settings;
    private readonly HttpClient http;

    public HubClient(HubSettings settings)
    {
        this.settings = settings;
        // Redirects are followed here, one by one: the handler's own would not say which host it asked.
        var handler = new SocketsHttpHandler { AllowAutoRedirect = false, UseCookies = false, ConnectTimeout = settings.Silence };
        http = new HttpClient(handler) { Timeout = Timeout.InfiniteTimeSpan, MaxResponseContentBufferSize = LongestDocument };
        http.DefaultRequestHeaders.UserAgent.Add(new ProductInfoHeaderValue("rlp", "1.0"));
    }

    /// <summary>An address below the endpoint; the parts are already escaped.</summary>
    public Uri Address(string path) => new($"{settings.Endpoint.AbsoluteUri.TrimEnd('/')}/{path}");

    public bool IsEndpoint(Uri address) =>
        Uri.Compare(address, settings.Endpoint, UriComponents.SchemeAndServer, UriFormat.Unescaped, StringComparison.OrdinalIgnoreCase) == 0;

    /// <summary>Sends a request wherever it is redirected to.</summary>
    /// <param name="stop">Looks at each answer and says whether it is what was asked for although it redirects; null: none is.</param>
    /// <returns>The last answer, its body unread, and the address that gave it. Any status that is no redirect.</returns>
    /// <exception cref="TransientHubException">No answer in time, or none at all.</exception>
    public async Task<(HttpResponseMessage Response, Uri Address)> Send(
        HttpMethod method, Uri address, Action<HttpRequestMessage>? prepare, Func<HttpResponseMessage, bool>? stop, CancellationToken cancellation)
    {
        for (var redirects = 0; ; redirects++)
        {
            using var request = new HttpRequestMessage(method, address);
            prepare?.Invoke(request);
            request.Headers.AcceptEncoding.Add(new StringWithQualityHeaderValue("identity")); // ranges and sizes are those of the file
            if (settings.Token is { } token && IsEndpoint(address)) request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", token);
            var response =
                await WithinSilence(patience => http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, patience), address, cancellation);
            var redirected = (int)response.StatusCode is >= 300 and < 400 && response.StatusCode != HttpStatusCode.NotModified;
            if (!redirected || stop?.Invoke(response) == true) return (response, address);
            using (response)
            {
                if (response.Headers.Location is not { } location)
                    throw new HubException($"{address.Host} redirects to nowhere (status {(int)response.StatusCode})");
                if (redirects == MostRedirects)
                    throw new HubException($"{settings.Endpoint.Host} redirects more than {MostRedirects} times");
                var next = new Uri(address, location);
                if (next.Scheme is not ("http" or "https") || (address.Scheme == "https" && next.Scheme != "https"))
                    throw new HubException($"{address.Host} redirects to {next.Scheme}://{next.Host}, which is less safe; refused");
                address = next;
            }
        }
    }

    /// <summary>Waits for a server, but not longer than it may be silent.</summary>
    /// <exception cref="TransientHubException">It was, or the connection broke.</exception>
    public async Task<T> WithinSilence<T>(Func<CancellationToken, Task<T>> wait, Uri address, CancellationToken cancellation)
    {
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        patience.CancelAfter(settings.Silence);
        try
        {
            return await wait(patience.Token);
        }
        catch (OperationCanceledException e) when (!cancellation.IsCancellationRequested)
        {
            throw new TransientHubException($"{address.Host} said nothing for {settings.Silence.TotalSeconds:0.#} s", e);
        }
        catch (Exception e) when (e is HttpRequestException or IOException)
        {
            throw new TransientHubException($"the connection to {address.Host} failed: {e.Message}", e);
        }
    }

    /// <summary>Tries again, after pauses, what failed for a reason that may pass.</summary>
    /// <param name="gained">Whether the last try brought something new, for instance some bytes: then the count of tries begins
    /// anew.</param>
    /// <exception cref="HubException">The last try failed as well.</exception>
    public async Task<T> Persist<T>(string what, Func<Task<T>> attempt, Func<bool>? gained, CancellationToken cancellation)
    {
        var delay = settings.FirstDelay;
        for (var tries = 1; ; tries++)
        {
            try
            {
                return await attempt();
            }
            catch (TransientHubException e)
            {
                if (gained?.Invoke() == true) (tries, delay) = (1, settings.FirstDelay);
                if (tries >= settings.Attempts)
                    throw new HubException(
                        $"{what}: {e.Message} ({tries} tries). Check the network and call again: a pull goes on where it stopped", e);
                var pause = e.RetryAfter ?? delay;
                await Task.Delay(pause < settings.LongestDelay ? pause : settings.LongestDelay, cancellation);
                delay *= 2;
            }
        }
    }

    /// <summary>Lets success pass.</summary>
    /// <param name="what">What was asked for, as messages call it.</param>
    /// <exception cref="TransientHubException">A status that may pass: 408, 429, 5xx.</exception>
    /// <exception cref="HubException">Any other that is no success.</exception>
    public void Require(HttpResponseMessage response, string what, string page)
    {
        if (response.IsSuccessStatusCode) return;
        var status = (int)response.StatusCode;
        var said = Said(response) is { } text ? $" (the hub says: {text})" : "";
        switch (status)
        {
            case 401 or 403 when settings.Token is null:
                throw new HubException(
                    $"{what}: access denied, status {status}{said}. It is gated, private or does not exist: check the name, "
                    + $"accept its terms at {page}, and pass a token (--token or HF_TOKEN)");
            case 401 or 403:
                throw new HubException(
                    $"{what}: access denied with the token that was given, status {status}{said}. "
                    + $"Check the token and that its owner has accepted the terms at {page}");
            case 404:
                throw new HubException(
                    $"{what} does not exist at {settings.Endpoint.Host}, status 404{said}. "
                    + "Check the names of the repository, the revision and the file");
            case 408 or 429 or >= 500:
                throw new TransientHubException($"{what}: the server answers with status {status}{said}", null, RetryAfter(response));
            default:
                throw new HubException($"{what}: the server answers with status {status}{said}");
        }
    }

    private static string? Said(HttpResponseMessage response)
    {
        var code = Header(response, "X-Error-Code");
        var message = Header(response, "X-Error-Message");
        var text = string.Join(": ", new[] { code, message }.Where(t => !string.IsNullOrWhiteSpace(t)));
        return text.Length == 0 ? null : new string([.. text.Where(c => !char.IsControl(c)).Take(200)]);
    }

    public static string? Header(HttpResponseMessage response, string name) =>
        response.Headers.TryGetValues(name, out var values) ? values.FirstOrDefault() : null;

    private static TimeSpan? RetryAfter(HttpResponseMessage response) => response.Headers.RetryAfter switch
    {
        { Delta: { } delta } => delta,
        { Date: { } date } => date - DateTimeOffset.UtcNow is var wait && wait > TimeSpan.Zero ? wait : TimeSpan.Zero,
        _ => null,
    };

    public void Dispose() => http.Dispose();
}
