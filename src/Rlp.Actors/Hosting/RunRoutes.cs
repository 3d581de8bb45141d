using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Rlp.Actors.Journals;
using Rlp.Protocol.Events;
using Rlp.Protocol.Payloads;
using Rlp.Protocol.Replies;
using Rlp.Protocol.Runs;
using Rlp.Training.Recipes;

namespace Rlp.Actors.Hosting;

/// <summary>What <c>POST /runs</c> takes.</summary>
/// <param name="RecipeText">The recipe as text, kept in the run's folder for people; the recipe itself is the JSON.</param>
public sealed record RunSubmission(string RunId, JsonElement Recipe, string? RecipeText);

/// <summary>An answer that something was refused: which of a user's, the data's or the machine's doing it is, and what to do.</summary>
public sealed record RouteRefusal(string Kind, string Message);

/// <summary>
/// The runs of the cluster over any node's HTTP endpoint, as JSON: GET /runs, /runs/ID, /runs/ID/digests (a line per step), /cluster; POST /runs, and
/// /runs/ID/pause, /resume, /cancel.
/// </summary>
internal sealed class RunRoutes(Func<RunClient> runs, NodeOptions options) : INodeRoutes
{
    public bool TakesBody(HttpRequest request) => HttpMethods.IsPost(request.Method) && request.Path == "/runs";

    public void Map(IEndpointRouteBuilder routes)
    {
        routes.MapGet("/cluster", Members);
        routes.MapGet("/runs", (HttpContext http) => AnswerTo(http, async () => (await runs().ListAsync(http.RequestAborted)).Runs.Select(r => new
        {
            Run = r.RunId,
            Status = r.Status.ToString().ToLowerInvariant(),
            r.Stage,
            r.Step,
            r.Steps,
            r.Node,
        })));
        routes.MapGet("/runs/{run}", Show);
        routes.MapGet("/runs/{run}/digests", Digests);
        routes.MapPost("/runs", Submit);
        routes.MapPost("/runs/{run}/pause", (HttpContext http) => AnswerTo(http, async () => Changed(await runs().StopAsync(Run(http), Reason(http), http.RequestAborted))));
        routes.MapPost("/runs/{run}/cancel", (HttpContext http) => AnswerTo(http, async () => Changed(await runs().CancelAsync(Run(http), Reason(http), http.RequestAborted))));
        routes.MapPost("/runs/{run}/resume", Resume);
    }

    private Task Members(HttpContext http) => AnswerTo(http, () => Task.FromResult<object>(runs().Nodes.Members()));

    private Task Show(HttpContext http) => AnswerTo(http, async () => await runs().ViewAsync(Run(http), http.RequestAborted));

    private Task Submit(HttpContext http) => AnswerTo(http, () => SubmitAsync(http));

    private Task Resume(HttpContext http) => AnswerTo(http, async () => await runs().ResumeAsync(Run(http), http.RequestAborted));

    private static string Run(HttpContext http) => (string)http.Request.RouteValues["run"]!;

    private static string Reason(HttpContext http) => $"a request from {http.Connection.RemoteIpAddress}";

    private static object Changed(RunStopped stopped) => new { Run = stopped.RunId, Status = stopped.Status.ToString().ToLowerInvariant(), CheckpointStep = stopped.Checkpoint?.Step };

    private async Task Digests(HttpContext http)
    {
        var events = Journal().Events(Run(http));
        if (events.Count == 0)
        {
            await Refuse(http, new RunRefusedException(FailureKind.Configuration, $"there is no run '{Run(http)}' in the journal of this cluster"));
            return;
        }
        http.Response.ContentType = "application/jsonl";
        foreach (var step in events.OfType<StepApplied>())
            await http.Response.WriteAsync(JsonSerializer.Serialize(StepDigest.Of(step), RunView.Json) + "\n", http.RequestAborted);
    }

    private async Task<object> SubmitAsync(HttpContext http)
    {
        var submission = await JsonSerializer.DeserializeAsync<RunSubmission>(http.Request.Body, RunView.Json, http.RequestAborted);
        if (submission?.RunId is not { Length: > 0 } runId)
            throw new RunRefusedException(FailureKind.Configuration, "the request names no run_id");
        var recipe = Recipe.FromJson(submission.Recipe.GetRawText());
        var accepted = await runs().SubmitAsync(runId, recipe, http.RequestAborted);
        if (submission.RecipeText is { } text && !accepted.Resumed && !accepted.AlreadyComplete)
        {
            Directory.CreateDirectory(options.RunFolder(runId));
            await File.WriteAllTextAsync(Path.Combine(options.RunFolder(runId), "recipe.hocon"), text, http.RequestAborted);
        }
        return accepted;
    }

    private RunJournal Journal() => new(options.Journal);

    private static async Task AnswerTo(HttpContext http, Func<Task<object>> answer)
    {
        try
        {
            var found = await answer();
            http.Response.ContentType = "application/json";
            await http.Response.WriteAsync(JsonSerializer.Serialize(found, RunView.Json) + "\n", http.RequestAborted);
        }
        catch (RunRefusedException e)
        {
            await Refuse(http, e);
        }
        catch (Exception e) when (e is JsonException or ArgumentException or BadHttpRequestException)
        {
            await Refuse(http, new RunRefusedException(FailureKind.Configuration, e.Message));
        }
        catch (InvalidDataException e)
        {
            await Refuse(http, new RunRefusedException(FailureKind.Infrastructure, e.Message));
        }
    }

    private static Task Refuse(HttpContext http, RunRefusedException refusal)
    {
        http.Response.StatusCode = refusal.Kind == FailureKind.Infrastructure ? StatusCodes.Status503ServiceUnavailable : StatusCodes.Status409Conflict;
        http.Response.ContentType = "application/json";
        var body = new RouteRefusal(refusal.Kind.ToString().ToLowerInvariant(), refusal.Message);
        return http.Response.WriteAsync(JsonSerializer.Serialize(body, RunView.Json) + "\n", http.RequestAborted);
    }
}
