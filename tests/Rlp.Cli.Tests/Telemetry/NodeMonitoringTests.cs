using System.Diagnostics;
using System.Net;
using System.Net.Http.Headers;
using System.Net.Sockets;
using System.Text.Json;
using System.Text.RegularExpressions;
using Akka.Actor;
using Microsoft.Extensions.DependencyInjection;
using OpenTelemetry.Metrics;
using OpenTelemetry.Trace;
using Rlp.Actors.Hosting;
using Rlp.Cli.Commands;
using Rlp.Cli.Configuration;
using Rlp.Cli.Runs;
using Rlp.Cli.Telemetry;
using Rlp.Cli.Tests.Configuration;
using Rlp.Models.Tests;
using Rlp.Protocol.Replies;

namespace Rlp.Cli.Tests.Telemetry;

/// <summary>A node at work shows every metric that the alert rules, the dashboard and the tables of src/README.md name, and its health.</summary>
public sealed partial class NodeMonitoringTests : IDisposable
{
    private const string Token = "a-token-of-enough-characters";

    private static readonly string Monitoring = Path.Combine(RecipeText.Repository(), "deploy", "monitoring");

    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Fact]
    public async Task A_node_at_work_shows_what_rules_dashboard_and_tables_name_and_tells_a_collector()
    {
        await using var collector = await OtlpCollector.StartAsync();
        File.WriteAllText(folder["token"], Token);
        File.WriteAllText(folder["node.hocon"], $$"""
            node { name = one, threads = 1, port = {{FreePort()}}, token-file = "{{folder["token"]}}" }
            runs = "{{folder["runs"]}}"
            telemetry.otlp-endpoint = "{{collector.Address}}"
            """);
        File.WriteAllText(folder["tiny.hocon"], $$"""
            include "{{Path.Combine(RecipeText.Repository(), "hocon", "recipes", "arithmetic.hocon")}}"
            stages = [pretrain, rlp]
            model { hidden-size = 32, intermediate-size = 64, layers = 2, attention-heads = 2, key-value-heads = 1, head-dim = 16 }
            pretrain { steps = 2, batch-size = 4 }
            rlp { steps = 1000, batch-size = 4, group-size = 2, lanes = 1, max-thought-tokens = 4, checkpoint-every = 1000, evaluate-every = 0 }
            compare.corpus = ""
            """);
        var settings = RecipeFile.LoadNode(folder["node.hocon"], [], nothingElse: true);
        var options = NodeSettingsMapping.ToClusterOptions(settings);
        using var host = NodeHost.Build(options, new NodeMonitoring(settings));
        await host.StartAsync();
        using var scribe = new RunScribe(host.Services.GetRequiredService<ActorSystem>(), options);
        using var http = new HttpClient { BaseAddress = host.Services.GetRequiredService<NodeAddress>().Http };

        Assert.Equal(HttpStatusCode.Unauthorized, (await http.GetAsync("/metrics")).StatusCode);
        foreach (var what in (string[])["live", "ready"])
        {
            using var health = JsonDocument.Parse(await (await http.GetAsync($"/health/{what}")).Content.ReadAsStringAsync());
            Assert.Equal("healthy", health.RootElement.GetProperty("status").GetString());
        }
        http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", Token);

        var runs = host.Services.GetRequiredService<RunClient>();
        var started = await runs.StartAsync("r", RecipeFile.Load(folder["tiny.hocon"], []).Recipe);
        await foreach (var progress in started.Progress.ReadAllAsync())
            if (progress is StepProgress { Applied: { Stage: "rlp", Step: >= 3 } })
                break;
        var shown = Families(await http.GetStringAsync("/metrics"));
        await runs.StopAsync("r", "the test has seen enough");

        string[] named =
        [
            .. Names(await File.ReadAllTextAsync(Path.Combine(Monitoring, "alerts.yml"))),
            .. Names(await File.ReadAllTextAsync(Path.Combine(Monitoring, "dashboard.json"))),
            .. Names(await File.ReadAllTextAsync(Path.Combine(RecipeText.Repository(), "src", "README.md"))),
        ];
        Assert.InRange(named.Distinct().Count(), 25, 100);
        // A run that nothing has befallen has no figures of recovery.
        Assert.Empty(named.Where(name => !name.StartsWith("rlp_recovery_", StringComparison.Ordinal)).Except(shown));

        Assert.True(host.Services.GetRequiredService<TracerProvider>().ForceFlush());
        host.Services.GetRequiredService<MeterProvider>().ForceFlush(); // false: what is only read at /metrics cannot be flushed
        var step = collector.Spans.Select(s => s.Span).First(
            s => s.Name == "step" && s.Attributes.TextOf("rlp.stage") == "rlp" && s.Attributes.TextOf("rlp.run") == "r");
        Assert.Empty(step.ParentId);
        var parts = collector.Spans.Where(s => s.Span.TraceId.AsSpan().SequenceEqual(step.TraceId) && s.Span != step).ToArray();
        Assert.Equal(["data", "ema", "journal", "learner", "plan", "reward", "rollout"], parts.Select(p => p.Span.Name).Distinct().Order(StringComparer.Ordinal));
        Assert.All(parts, part => Assert.Equal(("one", Convert.ToHexString(step.Id)), (part.Instance, Convert.ToHexString(part.Span.ParentId))));
        foreach (var metric in (string[])["rlp.run.step", "rlp.info_gain", "rlp.worker.call.duration", "rlp.journal.write.duration", "rlp.cluster.members"])
            Assert.Contains(("one", metric), collector.Metrics.Keys);
        await host.StopAsync();
    }

    [Fact]
    public async Task The_alert_rules_are_such_to_Prometheus()
    {
        var promtool = Environment.GetEnvironmentVariable("PATH")!.Split(':').Select(folder => Path.Combine(folder, "promtool")).FirstOrDefault(File.Exists);
        Assert.SkipWhen(promtool is null, "promtool is not here (Debian's package prometheus has it)");
        using var check = Process.Start(new ProcessStartInfo(promtool!, ["check", "config", Path.Combine(Monitoring, "prometheus.yml")])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        })!;
        var output = await check.StandardOutput.ReadToEndAsync() + await check.StandardError.ReadToEndAsync();
        await check.WaitForExitAsync();
        Assert.True(check.ExitCode == 0, output);
    }

    private static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }

    private static HashSet<string> Families(string exposition) =>
        [.. exposition.Split('\n').Where(line => line.StartsWith("rlp_", StringComparison.Ordinal)).Select(line => line[..line.IndexOfAny(['{', ' '])])
            .SelectMany(name => (string[])[name, Suffix().Replace(name, "")])];

    private static IEnumerable<string> Names(string text) => Name().Matches(text).Select(m => m.Value);

    [GeneratedRegex("rlp_[a-z_]+")]
    private static partial Regex Name();

    /// <summary>Of a histogram's series.</summary>
    [GeneratedRegex("_(bucket|sum|count)$")]
    private static partial Regex Suffix();
}
