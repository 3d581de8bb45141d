using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Routing;
using Rlp.Actors.Hosting;
using Rlp.Consoles;

namespace Rlp.Cli.Consoles;

/// <summary>What <c>POST /console</c> takes.</summary>
internal sealed record ConsoleRequest(string Command);

/// <summary>
/// The palettes over a node's HTTP endpoint. <c>GET /console/palettes</c>: what can be asked, as JSON. <c>POST /console</c> with
/// {"command": "run show -r ID"}: the answer as JSON lines (see <see cref="AnswerLine"/>), each sent as soon as it is there, until the answer or
/// the client ends. 400 with one error line for what is no command; else 200, with an error as the last line where something failed.
/// </summary>
internal sealed class ConsoleRoutes(Func<IClusterView> cluster) : INodeRoutes
{
    public const string Path = "/console";
    public const string PalettesPath = "/console/palettes";

    private const int LongestRequest = 16 << 10;

    private static readonly JsonSerializerOptions Json = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        RespectNullableAnnotations = true,
        RespectRequiredConstructorParameters = true,
    };

    public bool TakesBody(HttpRequest request) => HttpMethods.IsPost(request.Method) && request.Path == Path;

    public void Map(IEndpointRouteBuilder routes)
    {
        routes.MapGet(PalettesPath, (HttpContext http) =>
        {
            http.Response.ContentType = "application/json; charset=utf-8";
            return http.Response.WriteAsync(JsonSerializer.Serialize(Definitions(), Json) + "\n", http.RequestAborted);
        });
        routes.MapPost(Path, Answer);
    }

    private object Definitions() => new
    {
        cluster().Node,
        Palettes = ConsolePalettes.All.Select(p => new
        {
            p.Name,
            p.Description,
            Verbs = p.Verbs.Select(v => new
            {
                v.Name,
                v.Description,
                v.Example,
                Arguments = v.Arguments.Select(a => new { a.Name, a.Switch, a.Description, a.Mandatory, a.Default, Multiple = a.AllowMultiple, Values = a.Values.Count > 0 ? a.Values : null }),
            }),
        }),
    };

    private async Task Answer(HttpContext http)
    {
        if (await ReadAsync(http) is not { } command) return;
        http.Response.ContentType = "application/jsonl; charset=utf-8";
        await http.Response.Body.FlushAsync(http.RequestAborted); // who asks knows at once that a node is there
        await foreach (var line in command.AnswerAsync(cluster(), http.RequestAborted)) await WriteAsync(http, line);
    }

    /// <summary>The command; null where it was refused.</summary>
    private static async Task<PaletteCommand?> ReadAsync(HttpContext http)
    {
        // A page in somebody's browser may send forms to this machine, but not JSON without having asked, which nobody here answers.
        if (!http.Request.HasJsonContentType())
            return await RefuseAsync(http, StatusCodes.Status415UnsupportedMediaType, "expected Content-Type: application/json and a body like {\"command\": \"run list\"}");
        if (http.Features.Get<IHttpMaxRequestBodySizeFeature>() is { IsReadOnly: false } limit) limit.MaxRequestBodySize = LongestRequest;
        try
        {
            var request = await JsonSerializer.DeserializeAsync<ConsoleRequest>(http.Request.Body, Json, http.RequestAborted);
            return PaletteCommand.Parse(request?.Command ?? "", ConsolePalettes.All);
        }
        catch (CommandNotUnderstoodException e)
        {
            return await RefuseAsync(http, StatusCodes.Status400BadRequest, e.Message);
        }
        catch (JsonException e)
        {
            return await RefuseAsync(http, StatusCodes.Status400BadRequest, $"the body is not JSON like {{\"command\": \"run list\"}}: {e.Message}");
        }
        catch (BadHttpRequestException e) // too long, too slow, cut off
        {
            return await RefuseAsync(http, e.StatusCode, e.Message);
        }
    }

    private static async Task<PaletteCommand?> RefuseAsync(HttpContext http, int status, string message)
    {
        http.Response.StatusCode = status;
        http.Response.ContentType = "application/jsonl; charset=utf-8";
        await WriteAsync(http, new ErrorLine(message));
        return null;
    }

    private static async Task WriteAsync(HttpContext http, AnswerLine line)
    {
        await http.Response.WriteAsync(line.ToJson() + "\n", http.RequestAborted);
        await http.Response.Body.FlushAsync(http.RequestAborted);
    }
}
