using System.Text.Json;
using Rlp.Cli.Tests.Configuration;
using Rlp.Models.Tests;
using Rlp.Training.Measurement;

namespace Rlp.Cli.Tests.Commands;

[Collection(RlpCommand.Collection)]
public sealed class PlanCommandTests : IDisposable
{
    private static readonly string Arithmetic = Path.Combine(RecipeText.Repository(), "hocon", "recipes", "arithmetic.hocon");

    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Fact]
    public async Task A_plan_adds_up()
    {
        var plan = JsonDocument.Parse(await RlpCommand.Succeed("plan", Arithmetic, "--device", "h100", "--nodes", "2", "--json")).RootElement;
        Assert.True(plan.GetProperty("fits").GetBoolean());
        Assert.Equal("H100", plan.GetProperty("device").GetProperty("device").GetString());
        Assert.Contains("assumed", plan.GetProperty("assumptions")[0].GetString());
        var stages = plan.GetProperty("stages").EnumerateArray().ToList();
        Assert.Equal(["pretrain", "cpt", "cpt_thoughts", "rlp"], stages.Select(s => s.GetProperty("stage").GetString()));
        Assert.Equal(plan.GetProperty("seconds").GetDouble(), stages.Sum(s => s.GetProperty("steps").GetInt64() * s.GetProperty("seconds_per_step").GetDouble()), 1e-9);
        Assert.All(stages.SelectMany(s => s.GetProperty("memory").EnumerateArray()), node =>
            Assert.Equal(node.GetProperty("peak_bytes").GetInt64(), node.GetProperty("parts").EnumerateObject().Sum(p => p.Value.GetInt64())));
        Assert.Equal(["learner's node", "other nodes"], stages[3].GetProperty("memory").EnumerateArray().Select(m => m.GetProperty("node").GetString()));
        Assert.Equal(32 * 8 * 16, stages[3].GetProperty("thought_tokens").GetInt64());
    }

    [Fact]
    public async Task What_does_not_fit_is_named_with_what_to_set_and_train_refuses_it_too()
    {
        MachineRates.Of(new MachinePeaks(1e11, 1e10), Environment.ProcessorCount).Save(folder["rates.json"]);
        var rates = MachineRates.Read(folder["rates.json"], Environment.ProcessorCount)!;
        (rates with { TrainingUtilisation = 0.5, DecodingUtilisation = 0.5 }).Save(folder["rates.json"]);
        var (code, output, error) = await RlpCommand.Run("plan", Arithmetic, "--rates", folder["rates.json"], "--set", "node.memory=400MiB");
        Assert.Equal(ExitCodes.BadConfiguration, code);
        Assert.Contains("DOES NOT FIT", output);
        Assert.Contains(folder["rates.json"], output);
        Assert.Contains("the largest part is 'activations'", error);
        Assert.Contains("set pretrain.activation-checkpointing = true, or pretrain.micro-batch-tokens or pretrain.context-length down", error);

        (code, _, error) = await RlpCommand.Run("train", Arithmetic, "--runs", folder["runs"], "--set", "node.memory=400MiB");
        Assert.Equal(ExitCodes.BadConfiguration, code);
        Assert.Contains("Set pretrain.activation-checkpointing = true, or pretrain.micro-batch-tokens or pretrain.context-length down", error);
        Assert.Contains("no runs", await RlpCommand.Succeed("runs", "list", "--runs", folder["runs"]));
    }

    [Fact]
    public async Task A_device_that_nobody_knows_is_refused_with_the_nearest_that_is_known()
    {
        var (code, _, error) = await RlpCommand.Run("plan", Arithmetic, "--device", "a100-81gb");
        Assert.Equal(ExitCodes.BadConfiguration, code);
        Assert.Contains("unknown device 'a100-81gb'; expected one of H100", error);
        Assert.Contains("did you mean 'A100-80GB'?", error);
    }

    [Theory]
    [InlineData("--nodes", "0", "--nodes is 0; expected at least 1")]
    [InlineData("--set", "rlp.group-siez=4", "rlp.group-size")]
    public async Task What_cannot_be_is_refused(string option, string value, string message)
    {
        var (code, _, error) = await RlpCommand.Run("plan", Arithmetic, "--device", "H100", option, value);
        Assert.Equal(ExitCodes.BadConfiguration, code);
        Assert.Contains(message, error);
    }

    [Fact]
    public async Task A_recipe_that_is_not_there_is_named()
    {
        var (code, _, error) = await RlpCommand.Run("plan", folder["none.hocon"]);
        Assert.Equal(ExitCodes.BadConfiguration, code);
        Assert.Contains("none.hocon", error);
    }

    [Fact]
    public async Task Without_saved_rates_the_machine_is_measured()
    {
        var output = await RlpCommand.Succeed("plan", Arithmetic, "--rates", folder["none.json"]);
        Assert.Contains("measured briefly just now", output);
        Assert.Matches(@"(?m)^rlp +200 ", output);
    }
}
