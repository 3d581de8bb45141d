using System.Net;
using System.Net.Http.Json;
using System.Runtime.CompilerServices;
using System.Text.Json;
using Rlp.Actors.Hosting;
using Rlp.Cli.Commands;
using Rlp.Consoles;
using Rlp.Protocol.Payloads;
using Rlp.Protocol.Runs;

namespace Rlp.Cli.Consoles;

/// <summary>Asks a node's console. A node that is gone is known as such within a few seconds; an answer that comes may take as long as it takes.</summary>
/// <param name="node">HOST:PORT, or an address with a scheme where the endpoint has TLS.</param>
internal sealed class ConsoleClient(string node, string? tokenFile) : IDisposable
{
    private static readonly TimeSpan AnswerWithin = TimeSpan.FromSeconds(5);

    private readonly HttpClient http = ClusterClient.Http(node, tokenFile, Timeout.InfiniteTimeSpan);

    /// <summary>The name of the node.</summary>
    /// <exception cref="RunRefusedException">It does not answer, or wants another token.</exception>
    public async Task<string> NodeAsync()
    {
        using var answer = await SendAsync(new HttpRequestMessage(HttpMethod.Get, ConsoleRoutes.PalettesPath), CancellationToken.None);
        return (await answer.Content.ReadFromJsonAsync<JsonElement>()).GetProperty("node").GetString()!;
    }

    /// <summary>The lines of the answer as they come.</summary>
    /// <exception cref="CommandNotUnderstoodException">No command.</exception>
    /// <exception cref="RunRefusedException">The node does not answer, or breaks off.</exception>
    public async IAsyncEnumerable<AnswerLine> AskAsync(string command, [EnumeratorCancellation] CancellationToken cancellation = default)
    {
        var request = new HttpRequestMessage(HttpMethod.Post, ConsoleRoutes.Path) { Content = JsonContent.Create(new ConsoleRequest(command), options: RunView.Json) };
        using var answer = await SendAsync(request, cancellation);
        using var reader = new StreamReader(await answer.Content.ReadAsStreamAsync(cancellation));
        while (true)
        {
            string? line;
            try
            {
                line = await reader.ReadLineAsync(cancellation);
            }
            catch (Exception e) when (e is IOException or HttpRequestException)
            {
                throw ClusterClient.Silent(node, $"breaks off its answer: {e.Message}");
            }
            if (line is null) yield break;
            yield return AnswerLine.FromJson(line);
        }
    }

    private async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellation)
    {
        using var soon = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        soon.CancelAfter(AnswerWithin);
        HttpResponseMessage answer;
        try
        {
            using (request) answer = await http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, soon.Token);
        }
        catch (HttpRequestException e)
        {
            throw ClusterClient.Silent(node, e);
        }
        catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
        {
            throw ClusterClient.Silent(node, $"does not answer within {AnswerWithin.TotalSeconds:0} s");
        }
        if (answer.IsSuccessStatusCode) return answer;
        using (answer)
        {
            var text = (await answer.Content.ReadAsStringAsync(cancellation)).Trim();
            throw answer.StatusCode switch
            {
                HttpStatusCode.BadRequest when Error(text) is { } error => new CommandNotUnderstoodException(error),
                HttpStatusCode.Unauthorized => new RunRefusedException(FailureKind.Configuration, $"{node} refuses: {text}; --token-file names it"),
                HttpStatusCode.NotFound => new RunRefusedException(FailureKind.Configuration, $"{node} has no console; is it the HTTP endpoint of an 'rlp node'?"),
                var status => new RunRefusedException(FailureKind.Infrastructure, $"{node} refuses: {(int)status} {Error(text) ?? text}"),
            };
        }
    }

    private static string? Error(string text)
    {
        try
        {
            return (AnswerLine.FromJson(text) as ErrorLine)?.Message;
        }
        catch (InvalidDataException)
        {
            return null;
        }
    }

    public void Dispose() => http.Dispose();
}
