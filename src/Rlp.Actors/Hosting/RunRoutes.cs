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

    private Task Members(HttpContext http) => AnswerTo(http, () => Task.FromResult<object?>(runs().Nodes.Members()));

    private Task Show(HttpContext http) => AnswerTo(http, async () =>
        IsUnknown(http) ? null : await runs().ViewAsync(Run(http), http.RequestAborted));

    private Task Submit(HttpContext http) => AnswerTo(http, () => SubmitAsync(http));

    private Task Resume(HttpContext http) => AnswerTo(http, async () =>
    {
        try
        {
            return await runs().ResumeAsync(Run(http), http.RequestAborted);
        }
        catch (RunRefusedException) when (IsUnknown(http))
        {
            return null;
        }
    });

    private static string Run(HttpContext http) => (string)http.Request.RouteValues["run"]!;

    private bool IsUnknown(HttpContext http) => runs().StateOf(Run(http)).Status == RunStatus.Absent;

    private static string Reason(HttpContext http) => $"a request from {http.Connection.RemoteIpAddress}";

    private static object? Changed(RunStopped stopped) => stopped.Status == RunStatus.Absent ? null : new
    {
        Run = stopped.RunId,
        Status = stopped.Status.ToString().ToLowerInvariant(),
        CheckpointStep = stopped.Checkpoint?.Step,
    };

    private Task Digests(HttpContext http) => AnswerTo(http, "application/jsonl", () => Task.FromResult(
        Journal().Events(Run(http)) is { Count: > 0 } events
            ? string.Concat(events.OfType<StepApplied>().Select(e => Line(StepDigest.Of(e))))
            : null));

    private async Task<object?> SubmitAsync(HttpContext http)
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

    private static string Line(object value) => JsonSerializer.Serialize(value, RunView.Json) + "\n";

    private static Task AnswerTo(HttpContext http, Func<Task<object?>> answer) =>
        AnswerTo(http, "application/json", async () => await answer() is { } found ? Line(found) : null);

    /// <summary>Null is the answer about a run that does not exist.</summary>
    private static async Task AnswerTo(HttpContext http, string contentType, Func<Task<string?>> answer)
    {
        try
        {
            if (await answer() is { } found)
            {
                http.Response.ContentType = contentType;
                await http.Response.WriteAsync(found, http.RequestAborted);
            }
            else
            {
                var message = $"there is no run '{Run(http)}' in the journal of this cluster";
                await Refuse(http, StatusCodes.Status404NotFound, FailureKind.Configuration, message);
            }
        }
        catch (RunRefusedException e)
        {
            await Refuse(http, StatusOf(e.Kind), e.Kind, e.Message);
        }
        catch (Exception e) when (e is JsonException or ArgumentException or BadHttpRequestException)
        {
            await Refuse(http, StatusOf(FailureKind.Configuration), FailureKind.Configuration, e.Message);
        }
        catch (Exception e) when (e is InvalidDataException or JournalUnavailableException)
        {
            await Refuse(http, StatusOf(FailureKind.Infrastructure), FailureKind.Infrastructure, e.Message);
        }
    }

    private static int StatusOf(FailureKind kind) =>
        kind == FailureKind.Infrastructure ? StatusCodes.Status503ServiceUnavailable : StatusCodes.Status409Conflict;

    private static Task Refuse(HttpContext http, int status, FailureKind kind, string message)
    {
        http.Response.StatusCode = status;
        http.Response.ContentType = "application/json";
        return http.Response.WriteAsync(Line(new RouteRefusal(kind.ToString().ToLowerInvariant(), message)), http.RequestAborted);
    }
}
