using System.Text.Json;
using Microsoft.Data.Sqlite;
using Rlp.Cli.Tests.Configuration;
using Rlp.Models.Tests;
using Rlp.Protocol.Events;
using Rlp.Protocol.Serialization;

namespace Rlp.Cli.Tests.Commands;

/// <summary>Verification and forks of a real run, through the program's entry point.</summary>
[Collection(RlpCommand.Collection)]
public sealed class RunsForkTests : IDisposable
{
    private const int Pretrain = 4, Rlp = 8;

    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    private string Runs => folder["runs"];

    private Task<string> Train(string recipe, string run, params string[] more) =>
        RlpCommand.Succeed(["train", recipe, "--run-id", run, "--runs", Runs, .. more]);

    /// <summary>A run of two stages whose second has had checkpoints at steps 3, 6 and 8; those of 6 and before are pruned at its end.</summary>
    private Task<string> TrainWhole(int staleness = 0) => Train(
        Path.Combine(RecipeText.Repository(), "hocon", "recipes", "arithmetic.hocon"), "whole",
        [.. $"stages=[pretrain,rlp] node.threads=1 pretrain.steps={Pretrain} pretrain.batch-size=8 rlp.steps={Rlp} rlp.batch-size=4 rlp.group-size=3 rlp.lanes=2 rlp.checkpoint-every=3 rlp.evaluate-every=4 compare.problems=6 compare.problems-while-training=3 rlp.staleness={staleness}"
            .Split(' ').SelectMany(set => new[] { "--set", set })]);

    private async Task<string[]> Digests(string run) =>
        (await RlpCommand.Succeed("runs", "digests", run, "--json", "--runs", Runs)).Split('\n', StringSplitOptions.RemoveEmptyEntries);

    private Task<(int Code, string Output, string Error)> Fork(string run, params string[] arguments) =>
        RlpCommand.Run(["runs", "fork", run, "--runs", Runs, .. arguments]);

    [Theory]
    [InlineData(5, 0)] // made by executing steps again
    [InlineData(8, 0)] // the checkpoint of the last step
    [InlineData(5, 2)] // with older policies in its checkpoint
    [InlineData(0, 0)] // the stage anew
    public async Task A_fork_without_changes_comes_to_the_digests_of_the_run_it_comes_from(int step, int staleness)
    {
        await TrainWhole(staleness);
        var expected = await Digests("whole");
        var (code, output, error) = await Fork("whole", "--stage", "rlp", "--at-step", $"{step}", "--run-id", "same");
        Assert.True(code == ExitCodes.Done, error);
        Assert.Contains($"--run-id same --runs {Runs}", output);
        Assert.Equal(step == 5, error.Contains("steps 1 to 5 of stage 'rlp' are executed again from the stage's start", StringComparison.Ordinal));
        Assert.Equal(expected[..(Pretrain + step)], await Digests("same"));

        var shown = JsonDocument.Parse(await RlpCommand.Succeed("runs", "show", "same", "--json", "--runs", Runs)).RootElement;
        Assert.Equal("paused", shown.GetProperty("summary").GetProperty("status").GetString());
        Assert.Equal(("whole", "rlp", step), (shown.GetProperty("lineage").GetProperty("run_id").GetString(), shown.GetProperty("lineage").GetProperty("stage").GetString(), shown.GetProperty("lineage").GetProperty("step").GetInt32()));
        Assert.Contains($"forked   from 'whole' after step {step} of stage rlp", await RlpCommand.Succeed("runs", "show", "same", "--runs", Runs));

        var trained = await Train(Path.Combine(Runs, "same", "recipe.hocon"), "same");
        Assert.Contains("resuming run 'same'", trained);
        Assert.Equal(expected, await Digests("same"));
        Assert.Equal(Pretrain + Rlp, File.ReadAllLines(Path.Combine(Runs, "same", "metrics.jsonl")).Length);
        var results = (string run) => JsonDocument.Parse(File.ReadAllText(Path.Combine(Runs, run, "report.json"))).RootElement.GetProperty("stages").EnumerateObject().Select(s => s.Value)
            .Select(s => (s.GetProperty("think_accuracy").GetDouble(), s.GetProperty("info_gain").GetDouble(), s.GetProperty("input_tokens").GetDouble())).ToArray();
        Assert.Equal(results("whole"), results("same"));
        Assert.Equal(expected, await Digests("whole"));

        (code, output, error) = await RlpCommand.Run("runs", "verify", "same", "--runs", Runs);
        if (step == Rlp) // none of the steps is the fork's own
            Assert.Equal(ExitCodes.NotVerifiable, code);
        else
            Assert.True(code == ExitCodes.Done && output.Contains($"rlp: steps {step + 1} to {Rlp} are equal", StringComparison.Ordinal), output + error);
    }

    [Fact]
    public async Task A_fork_with_changes_differs_after_its_step_only_and_what_changes_its_past_is_refused_by_key()
    {
        await TrainWhole();
        var expected = await Digests("whole");
        var (code, _, error) = await Fork("whole", "--at-step", "4", "--run-id", "wild",
            "--set", "seed=2", "--set", "model.layers=2", "--set", "pretrain.steps=9", "--set", "rlp.staleness=1", "--set", "rlp.steps=3", "--set", "rlp.tau=0.5", "--set", "rlp.beta=0.1");
        Assert.Equal(ExitCodes.BadConfiguration, code);
        foreach (var (key, reason) in ((string, string)[])[("seed", "the sampling of every step"), ("model.layers", "the network"), ("pretrain.steps", "stage pretrain is the fork's past"),
            ("rlp.staleness", "the older policies"), ("rlp.steps", "takes over 4 steps"), ("rlp.beta", "no reference policy")])
            Assert.Matches($"'{key}' cannot change in a fork: .*{reason}", error);
        Assert.DoesNotContain("rlp.tau", error);
        Assert.False(Directory.Exists(Path.Combine(Runs, "wild")));

        (code, _, error) = await Fork("whole", "--at-step", "4", "--run-id", "wild", "--set", "rlp.optimizer.learning-rate=0.01", "--set", "rlp.group-size=4", "--set", "rlp.steps=10");
        Assert.True(code == ExitCodes.Done, error);
        await Train(Path.Combine(Runs, "wild", "recipe.hocon"), "wild");
        var wild = await Digests("wild");
        Assert.Equal(Pretrain + 10, wild.Length);
        Assert.Equal(expected[..(Pretrain + 4)], wild[..(Pretrain + 4)]);
        for (var step = Pretrain + 4; step < Pretrain + Rlp; step++)
            Assert.NotEqual(expected[step], wild[step]);

        (code, _, error) = await Fork("whole", "--at-step", "4", "--run-id", "wild");
        Assert.Equal(ExitCodes.BadConfiguration, code);
        Assert.Contains("choose another run id", error);
        (code, _, error) = await Fork("whole", "--at-step", "9", "--run-id", "late");
        Assert.Equal(ExitCodes.BadConfiguration, code);
        Assert.Contains("has applied 8 steps of stage 'rlp'", error);
        (code, _, error) = await RlpCommand.Run("runs", "verify", "wild", "--stage", "rlp", "--from-step", "4", "--runs", Runs);
        Assert.Equal(ExitCodes.NotVerifiable, code);
        Assert.Contains("the steps up to 4 of stage 'rlp' were executed by run 'whole'", error);
    }

    [Fact]
    public async Task A_run_is_verified_and_one_changed_digest_in_its_journal_is_found_at_its_step()
    {
        await TrainWhole();
        var (code, output, error) = await RlpCommand.Run("runs", "verify", "whole", "--each", "--runs", Runs);
        Assert.True(code == ExitCodes.Done, error);
        Assert.Contains($"pretrain: steps 1 to {Pretrain} are equal", output);
        Assert.Contains($"rlp: steps 1 to {Rlp} are equal", output);
        Assert.Equal(Pretrain + Rlp, output.Split('\n').Count(line => line.Contains(" equal, parameters ", StringComparison.Ordinal)));

        Tamper("whole", e => e is StepApplied { Stage: "rlp", Step: 6 } applied ? applied with { Loss = Math.BitIncrement(applied.Loss) } : e);
        (code, output, _) = await RlpCommand.Run("runs", "verify", "whole", "--stage", "rlp", "--runs", Runs);
        Assert.Equal(ExitCodes.NotReproduced, code);
        Assert.Contains("rlp: step 6 DIFFERS from the journal; the 5 steps before it are equal", output);
        Assert.Matches(@"  loss: expected \S+, found \S+", output);
        (code, output, _) = await RlpCommand.Run("runs", "verify", "whole", "--stage", "rlp", "--to-step", "5", "--json", "--runs", Runs);
        Assert.Equal(ExitCodes.Done, code);
        var verdict = JsonDocument.Parse(output.Split('\n', StringSplitOptions.RemoveEmptyEntries)[^1]).RootElement;
        Assert.Equal(("equal", 5), (verdict.GetProperty("verdict").GetString(), verdict.GetProperty("verified").GetInt32()));

        (code, _, error) = await Fork("whole", "--at-step", "7", "--run-id", "fork");
        Assert.Equal(ExitCodes.BadData, code);
        Assert.Contains("step 6 of stage 'rlp' was executed again and did not reproduce the journal: loss", error);

        Tamper("whole", e => e is RunCreated created ? created with { Environment = created.Environment with { MachineKind = "abacus" } } : e);
        (code, output, error) = await RlpCommand.Run("runs", "verify", "whole", "--stage", "rlp", "--runs", Runs);
        Assert.Equal(ExitCodes.NotVerifiable, code);
        Assert.Contains("the journal says abacus", error);
        Assert.Contains("says nothing about the run", output);

        Directory.Delete(Path.Combine(Runs, "whole", "checkpoints"), recursive: true);
        (code, _, error) = await RlpCommand.Run("runs", "verify", "whole", "--stage", "rlp", "--runs", Runs);
        Assert.Equal(ExitCodes.NotVerifiable, code);
        Assert.Contains("cannot verify: step 1 of stage 'rlp'", error);
        (code, _, error) = await RlpCommand.Run("runs", "verify", "whole", "--stage", "rlp", "--from-step", "9", "--runs", Runs);
        Assert.Equal(ExitCodes.BadConfiguration, code);
        Assert.Contains("applied steps 1 to 8", error);
    }

    private void Tamper(string run, Func<IRunEvent, IRunEvent> change)
    {
        using var connection = new SqliteConnection(new SqliteConnectionStringBuilder { DataSource = Path.Combine(Runs, "journal.db"), Pooling = false }.ToString());
        connection.Open();
        var changed = 0;
        foreach (var (number, manifest, message) in Rows(connection, run))
        {
            var (before, after) = ((IRunEvent)MessageRegistry.Deserialize(manifest, message), default(IRunEvent));
            if (ReferenceEquals(after = change(before), before)) continue;
            using var update = connection.CreateCommand();
            update.CommandText = "UPDATE journal SET message = $message WHERE persistence_id = $id AND sequence_number = $number";
            update.Parameters.AddWithValue("$message", MessageRegistry.Serialize(after));
            update.Parameters.AddWithValue("$id", $"run-{run}");
            update.Parameters.AddWithValue("$number", number);
            changed += update.ExecuteNonQuery();
        }
        Assert.Equal(1, changed);
    }

    private static List<(long Number, string Manifest, byte[] Message)> Rows(SqliteConnection connection, string run)
    {
        using var select = connection.CreateCommand();
        select.CommandText = "SELECT sequence_number, manifest, message FROM journal WHERE persistence_id = $id ORDER BY sequence_number";
        select.Parameters.AddWithValue("$id", $"run-{run}");
        using var reader = select.ExecuteReader();
        var rows = new List<(long, string, byte[])>();
        while (reader.Read()) rows.Add((reader.GetInt64(0), reader.GetString(1), reader.GetFieldValue<byte[]>(2)));
        return rows;
    }
}
