using System.Text.Json;
using Microsoft.Data.Sqlite;
using Rlp.Cli.Configuration;
using Rlp.Protocol.Events;
using Rlp.Protocol.Payloads;
using Rlp.Protocol.Serialization;

namespace Rlp.Cli.Tests.Commands;

/// <summary>rlp runs on a journal that was written without a run: what is printed, and which journal is read.</summary>
[Collection(RlpCommand.Collection)]
public sealed class RunsCommandTests : IDisposable
{
    private readonly string folder = Directory.CreateTempSubdirectory("rlp-runs-").FullName;

    private static readonly IRunEvent[] Events =
    [
        new RunCreated { RunId = "r", RecipeJson = new string('x', 500), Plan = new RunPlan { Stages = [new StagePlan { Id = "rlp", Steps = 2 }] } },
        new StageStarted { RunId = "r", Stage = "rlp" },
        new StepPlanned { RunId = "r", Stage = "rlp", Step = 1, CursorTo = new WireCursor { Document = 4 } },
        new StepApplied { RunId = "r", Stage = "rlp", Step = 1, Loss = 0.5, ParametersSha256 = new string('a', 64), Metrics = new() { ["entropy"] = 2 } },
        new StepPlanned { RunId = "r", Stage = "rlp", Step = 2 },
        new StepApplied { RunId = "r", Stage = "rlp", Step = 2, Loss = double.NaN, ParametersSha256 = new string('b', 64) },
        new CheckpointCommitted { RunId = "r", Stage = "rlp", Step = 2, Path = "checkpoints/rlp/step-00000002", Sha256 = "c" },
    ];

    public RunsCommandTests() => Write(Path.Combine(folder, "journal.db"));

    public void Dispose()
    {
        SqliteConnection.ClearAllPools();
        Directory.Delete(folder, recursive: true);
    }

    private static void Write(string file)
    {
        using var connection = new SqliteConnection($"Data Source={file}");
        connection.Open();
        using var command = connection.CreateCommand();
        command.CommandText = "CREATE TABLE journal (deleted INTEGER, persistence_id TEXT, sequence_number INTEGER, created INTEGER, message BLOB, manifest TEXT)";
        command.ExecuteNonQuery();
        for (var i = 0; i < Events.Length; i++)
        {
            command.CommandText = "INSERT INTO journal VALUES (0, 'run-r', $number, $created, $message, $manifest)";
            command.Parameters.Clear();
            command.Parameters.AddWithValue("$number", i + 1);
            command.Parameters.AddWithValue("$created", new DateTime(2026, 1, 2, 3, 4, 5).Ticks);
            command.Parameters.AddWithValue("$message", MessageRegistry.Serialize(Events[i]));
            command.Parameters.AddWithValue("$manifest", MessageRegistry.ManifestOf(Events[i].GetType()));
            command.ExecuteNonQuery();
        }
    }

    private static string[] Lines(string output) => output.Split('\n', StringSplitOptions.RemoveEmptyEntries);

    [Fact]
    public async Task Events_are_printed_one_a_line_with_number_time_and_type()
    {
        var lines = Lines(await RlpCommand.Succeed("runs", "events", "r", "--runs", folder));
        Assert.Equal(Events.Length, lines.Length);
        Assert.Matches(@"^ +1  2026-01-02 03:04:05\.000  run-created .*recipe_json=x{57}\.\.\.", lines[0]);
        Assert.Matches(@"^ +4  .*step-applied .*stage=rlp step=1 .*loss=0\.5", lines[3]);
    }

    [Fact]
    public async Task Stage_step_and_type_choose_among_them()
    {
        var ofStep = Lines(await RlpCommand.Succeed("runs", "events", "r", "--runs", folder, "--stage", "rlp", "--step", "2"));
        Assert.Equal(3, ofStep.Length);
        var applied = Lines(await RlpCommand.Succeed("runs", "events", "r", "--runs", folder, "--type", "step-applied", "--step", "2", "--json"));
        using var json = JsonDocument.Parse(Assert.Single(applied));
        Assert.Equal((6, "step-applied", "NaN"), (json.RootElement.GetProperty("number").GetInt32(), json.RootElement.GetProperty("type").GetString(), json.RootElement.GetProperty("loss").GetString()));
        Assert.Equal("2026-01-02T03:04:05.0000000+00:00", json.RootElement.GetProperty("at").GetString());
    }

    [Fact]
    public async Task Json_holds_every_member_of_an_event()
    {
        var lines = Lines(await RlpCommand.Succeed("runs", "events", "r", "--runs", folder, "--json"));
        Assert.Equal(Events.Length, lines.Length);
        Assert.Equal(500, JsonDocument.Parse(lines[0]).RootElement.GetProperty("recipe_json").GetString()!.Length);
        Assert.Equal(4, JsonDocument.Parse(lines[2]).RootElement.GetProperty("cursor_to").GetProperty("document").GetInt32());
        Assert.Equal(2, JsonDocument.Parse(lines[3]).RootElement.GetProperty("metrics").GetProperty("entropy").GetDouble());
    }

    [Theory]
    [InlineData("--type", "step-aplied", "did you mean 'step-applied'?")]
    [InlineData("--stage", "rpl", "did you mean 'rlp'?")]
    public async Task A_name_that_does_not_exist_is_refused_with_the_nearest_one(string option, string name, string expected)
    {
        var (code, _, error) = await RlpCommand.Run("runs", "events", "r", "--runs", folder, option, name);
        Assert.Equal(ExitCodes.BadConfiguration, code);
        Assert.Contains(expected, error);
    }

    [Fact]
    public async Task A_run_that_does_not_exist_is_refused_with_those_that_do()
    {
        var (code, _, error) = await RlpCommand.Run("runs", "events", "q", "--runs", folder);
        Assert.Equal(ExitCodes.BadConfiguration, code);
        Assert.Contains("there is no run 'q'; the runs are r", error);
    }

    [Fact]
    public async Task Help_shows_examples()
    {
        var help = await RlpCommand.Succeed("runs", "events", "--help");
        Assert.Contains("rlp runs events arithmetic-1 --stage rlp --step 12", help);
        Assert.Contains("--type checkpoint-committed --json", help);
    }

    [Fact]
    public async Task The_journal_that_the_configuration_names_is_read()
    {
        var file = Path.Combine(folder, "elsewhere.db");
        File.Move(Path.Combine(folder, "journal.db"), file);
        foreach (var suffix in (string[])["-wal", "-shm"])
            File.Delete(Path.Combine(folder, "journal.db" + suffix));
        var node = Path.Combine(folder, "node.hocon");
        File.WriteAllText(node, $"journal.connection-string = \"Data Source={file}\"\nruns = {HoconText.Written(folder)}\n");
        Assert.Equal(7, Lines(await RlpCommand.Succeed("runs", "events", "r", "--config", node)).Length);
        Assert.Equal(7, Lines(await RlpCommand.Succeed("runs", "events", "r", "--runs", folder, "--set", $"journal.connection-string=\"Data Source={file}\"")).Length);
        Assert.Equal(2, Lines(await RlpCommand.Succeed("runs", "digests", "r", "--json", "--config", node)).Length);
        Assert.NotEqual(ExitCodes.Done, (await RlpCommand.Run("runs", "events", "r", "--runs", folder)).Code);
    }

    [Fact]
    public async Task A_server_that_cannot_be_reached_is_named_without_its_password()
    {
        var (code, _, error) = await RlpCommand.Run(
            "runs", "list", "--set", "journal.provider=postgresql", "--set", "journal.connection-string=\"Host=127.0.0.1;Port=1;Database=runs;Username=me;Password=geheim\"");
        Assert.Equal(ExitCodes.BrokenEnvironment, code);
        Assert.Contains("PostgreSQL database 'runs' at 127.0.0.1:1 (user 'me') cannot be read", error);
        Assert.DoesNotContain("geheim", error);
    }
}
