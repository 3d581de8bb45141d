using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text.Json;
using Rlp.Actors.Hosting;
using Rlp.Cli.Configuration;
using Rlp.Protocol.Payloads;
using Rlp.Protocol.Runs;

namespace Rlp.Cli.Commands;

/// <summary>Speaks to a cluster through the HTTP endpoint of one of its nodes.</summary>
internal sealed class ClusterClient : IDisposable
{
    private static readonly TimeSpan AnswerWithin = TimeSpan.FromMinutes(2);
    private static readonly TimeSpan ConnectWithin = TimeSpan.FromSeconds(5);

    private readonly HttpClient http;
    private readonly string node;

    /// <param name="node">HOST:PORT, or an address with a scheme where the endpoint has TLS.</param>
    /// <param name="tokenFile">A file with the nodes' token; null: none is sent.</param>
    /// <exception cref="ConfigurationException">Not an address, or the file cannot be read.</exception>
    public ClusterClient(string node, string? tokenFile)
    {
        this.node = node;
        http = Http(node, tokenFile, AnswerWithin);
    }

    /// <summary>A client for the HTTP endpoint of a node, as the constructor takes it.</summary>
    /// <exception cref="ConfigurationException">Not an address, or the file cannot be read.</exception>
    public static HttpClient Http(string node, string? tokenFile, TimeSpan answerWithin)
    {
        if (!Uri.TryCreate(node.Contains("://") ? node : $"http://{node}", UriKind.Absolute, out var address) || address.Host.Length == 0)
            throw Refused(node, $"'{node}' is no address; expected HOST:PORT of a node's HTTP endpoint, which 'rlp node' prints");
        if (tokenFile is not null && !File.Exists(tokenFile)) throw Refused("--token-file", $"there is no file {tokenFile}");
        var http = new HttpClient(new SocketsHttpHandler { ConnectTimeout = ConnectWithin }) { BaseAddress = address, Timeout = answerWithin };
        if (tokenFile is not null) http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", File.ReadAllText(tokenFile).Trim());
        return http;
    }

    /// <summary>What to say of a node that gives no answer.</summary>
    public static RunRefusedException Silent(string node, Exception e) =>
        e is HttpRequestException { HttpRequestError: HttpRequestError.SecureConnectionError }
        ? new(
            FailureKind.Configuration,
            $"{node} offers no TLS that is trusted here: {(e.InnerException ?? e).Message} "
                + "SSL_CERT_FILE names a file with the authorities of its node.tls.ca")
        : Silent(node, $"does not answer: {e.Message}");

    public static RunRefusedException Silent(string node, string what) => new(
        FailureKind.Infrastructure,
        $"{node} {what}. Is a node's HTTP endpoint there ('rlp node' prints its address, https:// where it has TLS)? "
            + "Any other node will do");

    public Task<JsonElement> GetAsync(string path) => AnswerAsync(HttpMethod.Get, path, null);

    public Task<JsonElement> PostAsync(string path, object? body = null) => AnswerAsync(HttpMethod.Post, path, body);

    /// <summary>The lines of an answer that comes line by line.</summary>
    public async IAsyncEnumerable<string> LinesAsync(string path)
    {
        using var answer = await SendAsync(HttpMethod.Get, path, null);
        using var reader = new StreamReader(await answer.Content.ReadAsStreamAsync());
        while (await reader.ReadLineAsync() is { } line) yield return line;
    }

    private async Task<JsonElement> AnswerAsync(HttpMethod method, string path, object? body)
    {
        using var answer = await SendAsync(method, path, body);
        return await answer.Content.ReadFromJsonAsync<JsonElement>();
    }

    private async Task<HttpResponseMessage> SendAsync(HttpMethod method, string path, object? body)
    {
        using var request = new HttpRequestMessage(method, path);
        if (body is not null) request.Content = JsonContent.Create(body, options: RunView.Json);
        HttpResponseMessage answer;
        try
        {
            answer = await http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
        }
        catch (Exception e) when (e is HttpRequestException or TaskCanceledException)
        {
            throw Silent(node, e);
        }
        if (answer.IsSuccessStatusCode) return answer;
        using (answer)
        {
            var text = await answer.Content.ReadAsStringAsync();
            if (answer.StatusCode is HttpStatusCode.NotFound or HttpStatusCode.Conflict or HttpStatusCode.ServiceUnavailable && Refusal(text) is { } refusal)
                throw new RunRefusedException(Enum.Parse<FailureKind>(refusal.Kind, ignoreCase: true), refusal.Message);
            throw new RunRefusedException(
                answer.StatusCode == HttpStatusCode.Unauthorized ? FailureKind.Configuration : FailureKind.Infrastructure, $"{node} refuses {method} {path}: {(int)answer.StatusCode} {text.Trim()}");
        }
    }

    private static RouteRefusal? Refusal(string text)
    {
        try
        {
            return JsonSerializer.Deserialize<RouteRefusal>(text, RunView.Json);
        }
        catch (JsonException)
        {
            return null;
        }
    }

    private static ConfigurationException Refused(string option, string message) => new([new ConfigurationProblem(option, null, "", message)]);

    public void Dispose() => http.Dispose();
}
