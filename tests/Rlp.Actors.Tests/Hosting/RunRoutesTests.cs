using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using Akka.Actor;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Rlp.Actors.Hosting;
using Rlp.Actors.Journals;
using Rlp.Actors.Runs;
using Rlp.Protocol.Commands;
using Rlp.Protocol.Events;
using Rlp.Protocol.Runs;

namespace Rlp.Actors.Tests.Hosting;

/// <summary>What a node's endpoint answers about runs, and what its commands do to them.</summary>
public sealed class RunRoutesTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    private Task<TestNode> StartAsync(FakeEngines engines) => TestNode.StartAsync(TestNode.OptionsFor(folder.Path, engines) with { HttpPort = 0 });

    private static async Task<(HttpStatusCode Status, JsonElement Answer)> SendAsync(NodeNetwork network, HttpMethod method, string path, object? body = null)
    {
        using var http = new HttpClient { BaseAddress = network.Address, Timeout = TimeSpan.FromMinutes(1) };
        using var request = new HttpRequestMessage(method, path) { Content = body is null ? null : JsonContent.Create(body, options: RunView.Json) };
        using var answer = await http.SendAsync(request);
        return (answer.StatusCode, JsonSerializer.Deserialize<JsonElement>(await answer.Content.ReadAsStringAsync()));
    }

    private static Task<(HttpStatusCode Status, JsonElement Answer)> PostAsync(TestNode node, string path, object? body = null) =>
        SendAsync(node.Network, HttpMethod.Post, path, body);

    private static async Task<JsonElement> DoneAsync(Task<(HttpStatusCode Status, JsonElement Answer)> request)
    {
        var (status, answer) = await request;
        Assert.True(status == HttpStatusCode.OK, $"{status}: {answer}");
        return answer;
    }

    private static async Task<JsonElement> ViewAsync(TestNode node, string run) => await DoneAsync(SendAsync(node.Network, HttpMethod.Get, $"/runs/{run}"));

    private static void AssertRefused((HttpStatusCode Status, JsonElement Answer) refused, HttpStatusCode status, string kind, string message)
    {
        Assert.Equal(status, refused.Status);
        Assert.Equal(kind, refused.Answer.GetProperty("kind").GetString());
        Assert.Contains(message, refused.Answer.GetProperty("message").GetString());
    }

    private static string? Text(JsonElement answer, string member) => answer.GetProperty(member).GetString();

    [Fact]
    public async Task A_run_is_submitted_paused_resumed_and_cancelled()
    {
        await using var node = await StartAsync(new FakeEngines { OnCall = (what, _) => Thread.Sleep(what.StartsWith("rlp", StringComparison.Ordinal) ? 10 : 0) });
        _ = node.Runs;
        var submission = new RunSubmission("r", JsonSerializer.Deserialize<JsonElement>(Recipes.Full(rlp: 3000).ToJson()), "name = fake");
        Assert.False((await DoneAsync(PostAsync(node, "/runs", submission))).GetProperty("resumed").GetBoolean());
        Assert.Equal("name = fake", await File.ReadAllTextAsync(Path.Combine(node.Options.RunFolder("r"), "recipe.hocon")));
        await TestNode.EventuallyAsync(() => Task.FromResult(node.Journal.State("r").Stage is { Plan.Rlp: true, Applied: > 0 }), "an RLP step");

        var paused = await DoneAsync(PostAsync(node, "/runs/r/pause"));
        var state = node.Journal.State("r");
        Assert.Equal((RunStatus.Paused, "paused"), (state.Status, Text(paused, "status")));
        Assert.Equal(state.Stage!.Applied, paused.GetProperty("checkpoint_step").GetInt64());
        Assert.Equal(state.Stage.Applied, state.Checkpoints[^1].Step);
        Assert.Contains("a request from 127.0.0.1", node.Journal.Events("r").OfType<RunPaused>().Single().Reason);
        Assert.Equal(("paused", null), (Text(await ViewAsync(node, "r"), "status"), Text(await ViewAsync(node, "r"), "node")));

        Assert.True((await DoneAsync(PostAsync(node, "/runs/r/resume"))).GetProperty("resumed").GetBoolean());
        Assert.Equal("paused", node.Journal.Events("r").OfType<RunResumed>().Single().After);
        Assert.Equal(("running", "local"), (Text(await ViewAsync(node, "r"), "status"), Text(await ViewAsync(node, "r"), "node")));
        await TestNode.EventuallyAsync(() => Task.FromResult(node.Journal.State("r").Stage!.Applied > state.Stage.Applied), "the step after the pause");

        Assert.Equal("cancelled", Text(await DoneAsync(PostAsync(node, "/runs/r/cancel")), "status"));
        Assert.Equal(RunStatus.Cancelled, node.Journal.State("r").Status);
        Assert.Equal("cancelled", Text(await ViewAsync(node, "r"), "status"));
        AssertRefused(await PostAsync(node, "/runs/r/resume"), HttpStatusCode.Conflict, "configuration", "run 'r' is cancelled; there is nothing to continue");
        AssertRefused(await PostAsync(node, "/runs", submission), HttpStatusCode.Conflict, "configuration", "run 'r' was cancelled and cannot go on");
    }

    [Theory]
    [InlineData("GET", "/runs/x")]
    [InlineData("GET", "/runs/x/digests")]
    [InlineData("POST", "/runs/x/pause")]
    [InlineData("POST", "/runs/x/resume")]
    [InlineData("POST", "/runs/x/cancel")]
    public async Task A_run_that_does_not_exist_is_not_found_and_does_not_come_into_being(string method, string path)
    {
        await using var node = await StartAsync(new FakeEngines());
        _ = node.Runs;
        AssertRefused(
            await SendAsync(node.Network, new HttpMethod(method), path), HttpStatusCode.NotFound, "configuration", "there is no run 'x' in the journal of this cluster");
        Assert.Empty(node.Journal.RunIds());
    }

    [Fact]
    public async Task A_recipe_that_is_none_and_a_run_without_a_name_are_refused()
    {
        await using var node = await StartAsync(new FakeEngines());
        _ = node.Runs;
        AssertRefused(await PostAsync(node, "/runs", new { RunId = "", Recipe = new { } }), HttpStatusCode.Conflict, "configuration", "names no run_id");
        AssertRefused(await PostAsync(node, "/runs", new { RunId = "r", Recipe = "text" }), HttpStatusCode.Conflict, "configuration", "JSON");
        Assert.Empty(node.Journal.RunIds());
    }

    [Fact]
    public async Task A_fork_shows_where_it_comes_from()
    {
        await using var node = await StartAsync(new FakeEngines());
        var recipe = Recipes.Full(pretrain: 2, cpt: 1, rlp: 1);
        await node.RunAsync("r", recipe);
        await node.Runs.ForkAsync(new ForkRun
        {
            RunId = "fork",
            FromRunId = "r",
            Stage = "pretrain",
            Step = 1,
            RecipeJson = recipe.ToJson(),
            RecipeSha256 = recipe.Digest,
            Plan = RunPlans.Of(recipe),
        });

        var lineage = (await ViewAsync(node, "fork")).GetProperty("lineage");
        Assert.Equal(("r", "pretrain", 1), (Text(lineage, "run_id"), Text(lineage, "stage"), lineage.GetProperty("step").GetInt32()));
        Assert.Equal(node.Journal.Events("r").OfType<StepApplied>().First().ParametersSha256, Text(lineage, "parameters_sha256"));
        Assert.Equal(JsonValueKind.Null, (await ViewAsync(node, "r")).GetProperty("lineage").ValueKind);
    }

    /// <summary>The endpoint is there before the actor system.</summary>
    [Fact]
    public async Task While_the_node_starts_it_says_so()
    {
        await using var node = await StartAsync(new FakeEngines());
        foreach (var (method, path) in ((HttpMethod, string)[])[(HttpMethod.Get, "/cluster"), (HttpMethod.Get, "/runs"), (HttpMethod.Post, "/runs/r/pause")])
            AssertRefused(await SendAsync(node.Network, method, path), HttpStatusCode.ServiceUnavailable, "infrastructure", "the node is starting; try again");
    }

    [Theory]
    [InlineData("/runs/r")]
    [InlineData("/runs/r/digests")]
    public async Task While_the_journal_is_away_that_is_said(string path)
    {
        var options = TestNode.OptionsFor(folder.Path, new FakeEngines()) with
        {
            HttpPort = 0,
            Journal = JournalSettings.Of(JournalProvider.PostgreSql, "Host=127.0.0.1;Port=1;Database=runs;Username=me;Password=geheim"),
        };
        using var system = ActorSystem.Create("alone", "akka { actor.provider = cluster, remote.dot-netty.tcp { hostname = 127.0.0.1, port = 0 } }");
        var network = new NodeNetwork(options, () => new RunClient(system, options));
        var builder = new HostApplicationBuilder(new HostApplicationBuilderSettings { DisableDefaults = true });
        builder.Logging.ClearProviders();
        network.AddTo(builder.Services);
        using var host = builder.Build();
        await host.StartAsync();
        var refused = await SendAsync(network, HttpMethod.Get, path);
        AssertRefused(refused, HttpStatusCode.ServiceUnavailable, "infrastructure", "cannot be read");
        Assert.DoesNotContain("geheim", refused.Answer.ToString());
        await host.StopAsync();
    }
}
