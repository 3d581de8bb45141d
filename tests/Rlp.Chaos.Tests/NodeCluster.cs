using System.Diagnostics;
using System.Globalization;
using System.Net.Http.Json;
using System.Net.NetworkInformation;
using System.Net.Sockets;
using System.Text.Json;
using Microsoft.Data.Sqlite;
using Rlp.Actors.Tests;

namespace Rlp.Chaos.Tests;

/// <summary>
/// A cluster of real `rlp node` processes with the torch engines: a folder of its own for runs and configurations, one journal for all: a file, or a
/// PostgreSQL server of the cluster's own.
/// Nodes that died are started again under the same address by <see cref="RestartDeadAsync"/>. A watcher process ends all nodes with the test's.
/// </summary>
public sealed class NodeCluster : IAsyncLifetime
{
    private static readonly TimeSpan Deadline = TimeSpan.FromMinutes(2);
    private static readonly TimeSpan LookEvery = TimeSpan.FromMilliseconds(100);

    /// <summary>Mixed roles: two coordinators, two that learn, two that sample, one of which has its thoughts' teacher scores from elsewhere.</summary>
    private static readonly (string Name, string Roles)[] Layout =
    [
        ("a", "coordinator"),
        ("b", "coordinator, learner, ema, data"),
        ("c", "learner, ema, data, reward"),
        ("d", "rollout, reward"),
        ("e", "rollout"),
    ];

    /// <summary>The PostgreSQL server among what can be killed.</summary>
    internal const string Database = "database";

    private readonly (string Name, string Roles)[] layout;
    private readonly PostgresServer? server;
    private readonly string folder = Directory.CreateTempSubdirectory("rlp-cluster-").FullName;
    private readonly ClusterPlace place;
    private readonly HttpClient http;
    private readonly Dictionary<string, RlpProcess> processes = [];
    private readonly Dictionary<string, (int Remoting, int Http)> ports = [];
    private readonly Dictionary<string, string> uninterrupted = [];
    private readonly Process reaper;
    private int runs;
    private bool serverIsDown;

    public NodeCluster()
        : this(postgres: false)
    {
    }

    internal NodeCluster(bool postgres)
        : this(Layout, postgres)
    {
    }

    /// <param name="layout">The nodes' names and roles.</param>
    /// <param name="postgres">Whether the journal is a PostgreSQL server.</param>
    /// <param name="place">Where the nodes run; null: on loopback.</param>
    internal NodeCluster((string Name, string Roles)[] layout, bool postgres = false, ClusterPlace? place = null)
    {
        if (postgres && PostgresServer.Missing is { } reason) Assert.Skip(reason);
        (this.layout, this.place) = (layout, place ?? new ClusterPlace());
        http = this.place.Connect();
        http.Timeout = TimeSpan.FromSeconds(5);
        // Reads process ids and kills them when its standard input ends: also when this process is killed.
        var reap = $"pids=; while read pid; do pids=\"$pids $pid\"; done; kill -9 $pids 2>/dev/null; {this.place.CleanUp}";
        reaper = Process.Start(new ProcessStartInfo("sh", ["-c", reap]) { RedirectStandardInput = true })!;
        if (!postgres) return;
        server = new PostgresServer();
        EndWithThisProcess(server.ProcessId);
    }

    public IReadOnlyList<string> Names => [.. layout.Select(node => node.Name)];

    /// <summary>Nodes whose processes have not ended.</summary>
    public IReadOnlyList<string> Living => [.. Names.Where(name => processes.TryGetValue(name, out var process) && !process.HasEnded)];

    /// <summary>What can be killed and started again, and does not run now: nodes, and the database where it is the cluster's own.</summary>
    internal IReadOnlyList<string> Dead => serverIsDown ? [.. Names.Except(Living), Database] : [.. Names.Except(Living)];

    private IEnumerable<string> Reachable => Living.Where(place.Reaches);

    private Dictionary<string, string> Trust => place.Pass is { Authorities: var authorities } ? new() { ["SSL_CERT_FILE"] = authorities } : [];

    private string[] Token => place.Pass is { TokenFile: var file } ? ["--token-file", file] : [];

    /// <summary>Files that arm fail points (FailPoint in src/Rlp.Actors).</summary>
    private string FailPoints => Path.Combine(folder, "fail-points");

    private string Runs => Path.Combine(folder, "runs");

    public async ValueTask InitializeAsync()
    {
        Directory.CreateDirectory(FailPoints);
        foreach (var name in Names) ports[name] = (FreePort(), FreePort());
        foreach (var (name, roles) in layout) await File.WriteAllTextAsync(ConfigOf(name), Configuration(name, roles));
        await RestartDeadAsync();
    }

    public ValueTask DisposeAsync()
    {
        foreach (var process in processes.Values) process.Dispose();
        server?.Dispose();
        reaper.StandardInput.Dispose();
        reaper.WaitForExit(TimeSpan.FromSeconds(10));
        reaper.Dispose();
        http.Dispose();
        Directory.Delete(folder, recursive: true);
        return ValueTask.CompletedTask;
    }

    /// <summary>A recipe of seconds: a small network, four steps of pretraining, then RLP with four lanes and a checkpoint every seven steps.</summary>
    internal string Recipe(long seed = 1, int steps = 40) => Recipe($"tiny-{seed}-{steps}", $$"""
        seed = {{seed}}
        stages = [pretrain, rlp]
        model { hidden-size = 32, intermediate-size = 64, layers = 2, attention-heads = 2, key-value-heads = 1, head-dim = 16 }
        pretrain { steps = 4, batch-size = 16 }
        rlp { steps = {{steps}}, batch-size = 8, group-size = 4, lanes = 4, max-thought-tokens = 8, checkpoint-every = 7, evaluate-every = 0 }
        """);

    /// <summary>The arithmetic recipe with other values and without the comparison of its stages.</summary>
    internal string Recipe(string name, string changes)
    {
        var path = Path.Combine(folder, $"{name}.hocon");
        File.WriteAllText(path, $"""
            include "{RlpProcess.Root}/hocon/recipes/arithmetic.hocon"
            name = {name}
            compare.corpus = ""
            {changes}
            """);
        return path;
    }

    /// <summary>The digests of the recipe's run by `rlp train`: one process, no loss, the same number of threads.</summary>
    internal async Task<string> UninterruptedAsync(string recipe)
    {
        if (uninterrupted.TryGetValue(recipe, out var known)) return known;
        var (alone, id) = (Path.Combine(folder, "alone"), Path.GetFileNameWithoutExtension(recipe));
        var (code, output) = await RlpProcess.RunAsync("train", recipe, "--runs", alone, "--run-id", id, "--log-interval", "0", "--set", "node.threads=1");
        Assert.True(code == 0, output);
        (code, output) = await RlpProcess.RunAsync("runs", "digests", id, "--json", "--runs", alone);
        Assert.True(code == 0, output);
        return uninterrupted[recipe] = output.ReplaceLineEndings("\n");
    }

    /// <summary>An id for a run that is submitted later.</summary>
    internal string NewRun() => $"run-{++runs}";

    /// <summary>Gives the recipe to the cluster; the id of its run.</summary>
    internal async Task<string> SubmitAsync(string recipe, string? run = null)
    {
        var id = run ?? NewRun();
        var (code, output) = await RlpProcess.RunAsync(
            Trust, ["submit", recipe, "--to", AddressOf(Reachable.Last(), "").ToString(), "--run-id", id, .. Token]);
        Assert.True(code == 0, output);
        return id;
    }

    /// <summary>What `rlp console` says of a command that has to succeed, given to the node.</summary>
    internal async Task<string> AskAsync(string node, string command)
    {
        var (code, output) = await ConsoleAsync(node, command);
        Assert.True(code == 0, $"{command}: exit code {code}\n{output}\n{Describe()}");
        return output;
    }

    /// <param name="token">Whether it is told the nodes' token, where they have one.</param>
    /// <param name="authority">Whether it trusts the authority of the nodes' certificates, where they have one.</param>
    internal Task<(int ExitCode, string Output)> ConsoleAsync(string node, string command, bool token = true, bool authority = true) =>
        RlpProcess.RunAsync(authority ? Trust : [], ["console", AddressOf(node, "").ToString(), .. command.Split(' '), .. token ? Token : []]);

    /// <summary>The answer of a node's console to a command, as JSON lines, as a script gets it.</summary>
    internal async Task<string> PostConsoleAsync(string node, string command)
    {
        using var answer = await http.PostAsJsonAsync(AddressOf(node, "/console"), new { command });
        var text = await answer.Content.ReadAsStringAsync();
        Assert.True(answer.IsSuccessStatusCode && !text.Contains("{\"error\"", StringComparison.Ordinal), $"{command}: {(int)answer.StatusCode} {text}");
        return text;
    }

    /// <summary>GET of any living node that this process reaches.</summary>
    internal async Task<string> GetAsync(string path)
    {
        var problem = "no node lives";
        foreach (var name in Reachable.Reverse())
        {
            try
            {
                using var answer = await http.GetAsync(AddressOf(name, path));
                var text = await answer.Content.ReadAsStringAsync();
                if (answer.IsSuccessStatusCode) return text;
                problem = $"{name}: {(int)answer.StatusCode} {text}";
            }
            catch (Exception e) when (e is HttpRequestException or TaskCanceledException)
            {
                problem = $"{name}: {e.Message}";
            }
        }
        throw new HttpRequestException(problem);
    }

    /// <summary>What a living node says of the run; null where none can say it now.</summary>
    internal async Task<RunSight?> SeeAsync(string run)
    {
        try
        {
            return RunSight.Of(await GetAsync($"/runs/{run}"));
        }
        catch (HttpRequestException)
        {
            return null;
        }
    }

    /// <summary>Waits for the run's end; its series must be that of the recipe in one process.</summary>
    internal async Task<RunSight> SeeSeriesOfOneProcessAsync(string run, string recipe)
    {
        var ended = await SeeCompletedAsync(run);
        Assert.Equal(await UninterruptedAsync(recipe), await DigestsAsync(run));
        Assert.Equal(0, ended.Recovery["lost_groups"]);
        return ended;
    }

    /// <summary>The incarnations of the run's entity that wrote its journal, in that order; one that wrote again after another stands here twice.</summary>
    internal IReadOnlyList<string> WritersOf(string run)
    {
        using var journal = new SqliteConnection($"Data Source={Path.Combine(Runs, "journal.db")};Pooling=False");
        journal.Open();
        using var query = journal.CreateCommand();
        query.CommandText = "SELECT writer_uuid FROM journal WHERE persistence_id = $id ORDER BY ordering";
        query.Parameters.AddWithValue("$id", $"run-{run}");
        using var rows = query.ExecuteReader();
        var writers = new List<string>();
        while (rows.Read())
            if (writers.LastOrDefault() != rows.GetString(0)) writers.Add(rows.GetString(0));
        return writers;
    }

    internal string CheckpointsOf(string run) => Path.Combine(Runs, run, "checkpoints");

    /// <summary>Of stage rlp, the oldest first.</summary>
    internal IReadOnlyList<string> CheckpointFoldersOf(string run) =>
        [.. Directory.GetDirectories(Path.Combine(CheckpointsOf(run), "rlp")).Where(f => !f.EndsWith(".tmp", StringComparison.Ordinal)).Order(StringComparer.Ordinal)];

    /// <summary>Waits until a line of a node's log has all the texts and is of the run.</summary>
    internal async Task SeeLogAsync(string run, params string[] texts)
    {
        var started = Stopwatch.GetTimestamp();
        while (!Directory.GetFiles(Runs, "node-*.log").SelectMany(File.ReadAllLines).Any(line => texts.Prepend($"run '{run}'").All(line.Contains)))
        {
            Assert.True(Stopwatch.GetElapsedTime(started) < Deadline, $"no log says {string.Join(" ... ", texts)} of '{run}'\n{Describe()}");
            await Task.Delay(LookEvery);
        }
    }

    internal Task<string> DigestsAsync(string run) => GetAsync($"/runs/{run}/digests");

    /// <summary>The run's journaled events of a type, such as step-applied, in their order, read without a node.</summary>
    internal async Task<IReadOnlyList<JournaledEvent>> EventsAsync(string run, string type)
    {
        var (code, output) = await RlpProcess.RunAsync("runs", "events", run, "--type", type, "--json", "--config", ConfigOf(Names[0]));
        Assert.True(code == 0, output);
        return [.. output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(JournaledEvent.Of)];
    }

    /// <summary>How often the nodes' logs hold the text.</summary>
    internal int Logged(string text) => Names.Select(LogOf).Where(File.Exists).Sum(log => File.ReadAllText(log).Split(text).Length - 1);

    /// <summary>Waits until the text has been logged more often than before.</summary>
    internal async Task SeeLoggedAsync(string text, int before = 0)
    {
        var started = Stopwatch.GetTimestamp();
        while (Logged(text) <= before)
        {
            Assert.True(Stopwatch.GetElapsedTime(started) < Deadline, $"'{text}' was not logged\n{Describe()}");
            await Task.Delay(LookEvery);
        }
    }

    /// <summary>Waits until the run is seen as the condition says.</summary>
    internal async Task<RunSight> SeeAsync(string run, string expected, Func<RunSight, bool> condition, TimeSpan? within = null)
    {
        var started = Stopwatch.GetTimestamp();
        RunSight? last = null;
        while (Stopwatch.GetElapsedTime(started) < (within ?? Deadline))
        {
            if (await SeeAsync(run) is { } sight)
            {
                last = sight;
                Assert.True(sight.Status is not "failed", $"{sight.Failure}\n{Describe()}");
                if (condition(sight)) return sight;
            }
            await Task.Delay(LookEvery);
        }
        throw new TimeoutException($"run '{run}' was not {expected}; last seen as {last}\n{Describe()}");
    }

    internal Task<RunSight> SeeStepAsync(string run, long step) => SeeAsync(run, $"at step {step} of rlp", s => s.Stage == "rlp" && s.Step >= step && s.Status == "running");

    internal Task<RunSight> SeeCompletedAsync(string run, TimeSpan? within = null) => SeeAsync(run, "complete", s => s.Status == "completed", within);

    /// <summary>The next process to reach the state dies there.</summary>
    internal void Arm(string state) => File.WriteAllText(Path.Combine(FailPoints, state), "");

    internal bool Reached(string state) => File.Exists(Path.Combine(FailPoints, state + ".reached"));

    internal void Signal(string name, int signal) => processes[name].Signal(signal);

    /// <summary>Returns once the node's process has ended, or the database server as in a crash.</summary>
    internal async Task KillAsync(string name)
    {
        if (name == Database)
        {
            server!.Kill();
            serverIsDown = true;
            return;
        }
        Signal(name, RlpProcess.SigKill);
        await EndAsync(name);
    }

    /// <summary>Waits for the end of a node's process; its exit code.</summary>
    internal Task<int> EndAsync(string name) => processes[name].EndAsync();

    internal string OutputOf(string name) => processes[name].Output;

    internal bool HasEnded(string name) => processes[name].HasEnded;

    /// <summary>Starts the node's process, or the database server, anew, under the same name and address.</summary>
    internal void Start(string name)
    {
        if (name == Database)
        {
            server!.Start();
            serverIsDown = false;
            EndWithThisProcess(server.ProcessId);
            return;
        }
        if (processes.Remove(name, out var ended)) ended.Dispose();
        var environment = new Dictionary<string, string>
        {
            ["RLP_FAIL_POINTS"] = FailPoints,
            ["DOTNET_ThreadPool_UnfairSemaphoreSpinLimit"] = "0", // many processes on few cores: who waits awake takes time from who works
        };
        var node = RlpProcess.Start(environment, place.Enter(name), ["node", "--config", ConfigOf(name)]);
        processes[name] = node;
        EndWithThisProcess(node.Id);
    }

    private void EndWithThisProcess(int id)
    {
        reaper.StandardInput.WriteLine(id.ToString(CultureInfo.InvariantCulture));
        reaper.StandardInput.Flush();
    }

    /// <summary>Starts every node whose process has ended, and waits until all nodes are up in the eyes of all.</summary>
    internal async Task RestartDeadAsync()
    {
        foreach (var name in Names.Except(Living)) Start(name);
        await AllUpAsync();
    }

    internal async Task AllUpAsync()
    {
        var started = Stopwatch.GetTimestamp();
        while (true)
        {
            var views = await Task.WhenAll(Names.Select(MembersAsync));
            if (views.All(view => view.Count == layout.Length && view.All(member => member.Up))) return;
            Assert.True(Stopwatch.GetElapsedTime(started) < Deadline, $"not all nodes came up:\n{string.Join("\n", views.Select(v => string.Join(" ", v)))}\n{Describe()}");
            foreach (var name in Names.Except(Living)) Start(name); // it gave up joining
            await Task.Delay(5 * LookEvery);
        }
    }

    /// <summary>The members that a node sees; empty where it does not answer.</summary>
    internal async Task<IReadOnlyList<(string Name, bool Up)>> MembersAsync(string name)
    {
        try
        {
            using var members = JsonDocument.Parse(await http.GetStringAsync(AddressOf(name, "/cluster")));
            return [.. members.RootElement.EnumerateArray().Select(m => (m.GetProperty("name").GetString()!, m.GetProperty("status").GetString() == "up" && m.GetProperty("reachable").GetBoolean()))];
        }
        catch (Exception e) when (e is HttpRequestException or TaskCanceledException or JsonException)
        {
            return [];
        }
    }

    /// <summary>The last lines of every node's output and log.</summary>
    internal string Describe() => string.Join("\n", Names.Select(name =>
    {
        var log = LogOf(name);
        return $"---- {name}{(Living.Contains(name) ? "" : " (ended)")}\n{Tail(processes.GetValueOrDefault(name)?.Output ?? "")}\n{(File.Exists(log) ? Tail(File.ReadAllText(log)) : "")}";
    }));

    private static string Tail(string text) => string.Join("\n", text.TrimEnd().Split('\n').TakeLast(25));

    private Uri AddressOf(string name, string path) => new($"{place.Scheme}://{place.HostOf(name)}:{ports[name].Http}{path}");

    private string LogOf(string name) => Path.Combine(Runs, $"node-{name}.log");

    private string ConfigOf(string name) => Path.Combine(folder, $"{name}.hocon");

    private string Configuration(string name, string roles) => $$"""
        node { name = {{name}}, roles = [{{roles}}], host = "{{place.HostOf(name)}}", port = {{ports[name].Remoting}}, http-port = {{ports[name].Http}}, threads = 1 }
        node { {{place.SecurityOf(name)}} }
        cluster.seed-nodes = [{{string.Join(", ", Names.Select(n => $"\"{place.HostOf(n)}:{ports[n].Remoting}\""))}}]
        journal { provider = {{(server is null ? "sqlite" : "postgresql")}}, connection-string = "{{server?.ConnectionString}}" }
        runs = "{{Runs}}"
        """;

    /// <summary>Below the ports that the system gives to outgoing connections: a node that is started again must find its own free.</summary>
    private static int FreePort()
    {
        var used = IPGlobalProperties.GetIPGlobalProperties().GetActiveTcpListeners().Select(l => l.Port).ToHashSet();
        while (true)
        {
            var port = Random.Shared.Next(20_000, 32_000);
            if (used.Contains(port)) continue;
            try
            {
                using var listener = new TcpListener(System.Net.IPAddress.Loopback, port);
                listener.Start();
                return port;
            }
            catch (SocketException)
            {
            }
        }
    }
}
