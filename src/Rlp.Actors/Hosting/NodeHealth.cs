using System.Text.Json;
using Akka.Actor;
using Akka.Cluster.Hosting;
using Akka.Hosting;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Rlp.Actors.Journals;
using Rlp.Actors.Nodes;
using Rlp.Actors.Workers;
using Rlp.Protocol.Queries;
using Rlp.Protocol.Replies;
using Rlp.Protocol.Runs;

namespace Rlp.Actors.Hosting;

/// <summary>
/// The node's health, for probes: GET /health/live (the actor system runs) and /health/ready (it is in its cluster, reaches the journal, and none of
/// its workers stands still), as JSON; 200, or 503 where a check is unhealthy. Asks for no token: a probe has none, and it says nothing of runs.
/// </summary>
internal sealed class NodeHealth(Func<HealthCheckService?> checks) : INodeRoutes
{
    private const string Live = "live";
    private const string Ready = "ready";

    private static readonly TimeSpan AnswerWithin = TimeSpan.FromSeconds(2);

    public bool NeedsToken(HttpRequest request) => !request.Path.StartsWithSegments("/health", StringComparison.Ordinal);

    public void Map(IEndpointRouteBuilder routes)
    {
        foreach (var tag in (string[])[Live, Ready])
            routes.MapGet($"/health/{tag}", (HttpContext http) => Answer(http, tag));
    }

    /// <summary>The node's checks.</summary>
    public static AkkaConfigurationBuilder AddTo(AkkaConfigurationBuilder builder, NodeOptions options) => builder
        .WithActorSystemLivenessCheck(tags: [Live])
        .WithAkkaClusterReadinessCheck(tags: [Ready])
        .WithHealthCheck("journal", (_, _, _) => Journal(options.Journal), tags: [Ready])
        .WithHealthCheck("workers", (system, _, _) => Workers(system, options), tags: [Ready]);

    private async Task Answer(HttpContext http, string tag)
    {
        if (checks() is not { } service)
        {
            await NodeEndpoint.Answer(http, StatusCodes.Status503ServiceUnavailable, "the node is starting");
            return;
        }
        var report = await service.CheckHealthAsync(check => check.Tags.Contains(tag), http.RequestAborted);
        http.Response.StatusCode = report.Status == HealthStatus.Unhealthy ? StatusCodes.Status503ServiceUnavailable : StatusCodes.Status200OK;
        http.Response.ContentType = "application/json";
        var body = new
        {
            Status = Word(report.Status),
            Checks = report.Entries.ToDictionary(e => e.Key, e => new { Status = Word(e.Value.Status), Description = e.Value.Description ?? e.Value.Exception?.Message ?? "" }),
        };
        await http.Response.WriteAsync(JsonSerializer.Serialize(body, RunView.Json) + "\n", http.RequestAborted);
    }

    private static string Word(HealthStatus status) => status.ToString().ToLowerInvariant();

    private static async Task<HealthCheckResult> Journal(JournalSettings journal)
    {
        try
        {
            // On a thread of the pool: a database that is away answers late.
            await Task.Run(() => new RunJournal(journal).Ping()).WaitAsync(AnswerWithin);
            return HealthCheckResult.Healthy($"{journal} answers");
        }
        catch (Exception e) when (e is JournalUnavailableException or InvalidDataException or TimeoutException)
        {
            return HealthCheckResult.Unhealthy(e is TimeoutException ? $"{journal} gives no answer within {AnswerWithin.TotalSeconds} s" : e.Message);
        }
    }

    /// <summary>A front that does not answer, or an engine call beyond its deadline, is unhealthy; one that is slow is only degraded.</summary>
    private static async Task<HealthCheckResult> Workers(ActorSystem system, NodeOptions options)
    {
        var (slow, stalled) = (new List<string>(), new List<string>());
        foreach (var role in options.Roles)
        {
            try
            {
                var status = await system.ActorSelection(NodeSupervisor.PathOf(role)).Ask<WorkerStatus>(new GetWorkerStatus(), AnswerWithin);
                var since = DateTimeOffset.FromUnixTimeMilliseconds(status.SinceUnixMilliseconds);
                if (status.State == "working" && DateTimeOffset.UtcNow - since > options.WarnAfter)
                    (DateTimeOffset.UtcNow - since > options.EngineDeadline ? stalled : slow).Add($"{status.Role}: {status.What} since {since:u}");
            }
            catch (AskTimeoutException)
            {
                stalled.Add($"{WorkerActor.NameOf(role)}: no answer within {AnswerWithin.TotalSeconds} s");
            }
        }
        return stalled.Count > 0 ? HealthCheckResult.Unhealthy(string.Join("; ", stalled.Concat(slow)))
            : slow.Count > 0 ? HealthCheckResult.Degraded(string.Join("; ", slow))
            : HealthCheckResult.Healthy();
    }
}
