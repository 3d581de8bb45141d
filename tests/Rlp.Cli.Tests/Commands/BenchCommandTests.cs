using System.Text.Json;

namespace Rlp.Cli.Tests.Commands;

[Collection(RlpCommand.Collection)]
public sealed class BenchCommandTests
{
    [Fact]
    public async Task The_samplers_rate_is_the_tokens_asked_for_over_the_seconds_they_took()
    {
        using var model = await TinyModel.Create("nemotron");
        var figures = await Figures("sampler", "--model", model.Model, "--prefix", "5", "--new", "7", "--groups", "2", "--group-size", "3", "--threads", "1", "--repeats", "3");
        Assert.Equal(2 * 3 * 7, figures.GetProperty("tokens_per_s").GetDouble() * figures.GetProperty("seconds").GetDouble(), 1e-6);
        Assert.Equal(6, figures.GetProperty("sequences").GetInt32());
        Assert.Equal(1, figures.GetProperty("threads").GetInt32());
        Assert.True(figures.GetProperty("decode_tokens_per_s").GetDouble() > 0);
    }

    [Fact]
    public async Task One_token_per_thought_has_no_rate_of_decoding()
    {
        using var model = await TinyModel.Create("qwen3");
        string[] work = ["--model", model.Model, "--prefix", "5", "--new", "1", "--groups", "1", "--group-size", "2", "--repeats", "1"];
        Assert.Equal(JsonValueKind.Null, (await Figures(["sampler", .. work])).GetProperty("decode_tokens_per_s").ValueKind);
        var (code, _, error) = await RlpCommand.Run(["bench", "sampler", .. work, "--save", model["rates.json"]]);
        Assert.Equal(ExitCodes.BadConfiguration, code);
        Assert.Contains("expected --new of at least 2", error);
    }

    [Fact]
    public async Task The_learners_utilisation_is_its_share_of_the_measured_matrix_products()
    {
        using var model = await TinyModel.Create("qwen3");
        var figures = await Figures("learner", "--model", model.Model, "--batch", "3", "--length", "8", "--threads", "1", "--repeats", "2");
        double Figure(string name) => figures.GetProperty(name).GetDouble();
        Assert.Equal(3 * 8, Figure("tokens_per_s") * Figure("seconds"), 1e-6);
        Assert.InRange(Figure("gemm_gflops"), 1, 100_000);

        // Three times a forward pass: two per weight of q, k, v, o, gate, up, down and the tied head, four per pair of query and key and dimension of a head.
        var weights = (3 * ((20 * 24) + (2 * 20 * 12) + (24 * 20) + (3 * 20 * 28))) + (TinyModel.Vocabulary * 20);
        var flops = 3.0 * 3 * ((2 * weights * 8) + (4 * 3 * 24 * (8 * 9 / 2)));
        Assert.Equal(flops, Figure("flops"));
        Assert.Equal(1, Figure("model_flops_utilisation") * Figure("gemm_gflops") * 1e9 * Figure("seconds") / flops, 1e-6);
    }

    [Fact]
    public async Task What_one_command_saves_stays_when_the_other_saves_too()
    {
        using var model = await TinyModel.Create("qwen3");
        var file = model["cache/rates.json"];
        string[] work = ["--model", model.Model, "--repeats", "1", "--threads", "1", "--save", file];
        await RlpCommand.Succeed(["bench", "sampler", "--prefix", "4", "--new", "4", "--groups", "1", "--group-size", "2", .. work]);
        Assert.Equal(JsonValueKind.Null, Saved().GetProperty("training_utilisation").ValueKind);
        var decoding = Saved().GetProperty("decoding_utilisation").GetDouble();
        Assert.True(decoding > 0);
        await RlpCommand.Succeed(["bench", "learner", "--batch", "2", "--length", "4", .. work]);
        Assert.Equal(decoding, Saved().GetProperty("decoding_utilisation").GetDouble());
        Assert.True(Saved().GetProperty("training_utilisation").GetDouble() > 0);

        JsonElement Saved() => JsonDocument.Parse(File.ReadAllText(file)).RootElement;
    }

    [Theory]
    [InlineData("sampler")]
    [InlineData("learner")]
    public async Task A_folder_that_is_not_there_is_named(string what)
    {
        var (code, _, error) = await RlpCommand.Run("bench", what, "--model", "/no/such/model");
        Assert.Equal(ExitCodes.BadData, code);
        Assert.Contains("/no/such/model", error);
    }

    [Theory]
    [InlineData("sampler", "--group-size", "0", "--group-size is 0; expected at least 1")]
    [InlineData("sampler", "--prefix", "many", "--prefix")]
    [InlineData("learner", "--length", "1", "--length is 1; expected at least 2")]
    [InlineData("learner", "--threads", "-2", "--threads is -2; expected at least 1")]
    public async Task A_number_that_cannot_be_is_refused(string what, string option, string value, string message)
    {
        var (code, _, error) = await RlpCommand.Run("bench", what, "--model", "x", option, value);
        Assert.Equal(ExitCodes.BadConfiguration, code);
        Assert.Contains(message, error);
    }

    [Fact]
    public async Task Without_json_a_person_can_read_it()
    {
        using var model = await TinyModel.Create("qwen3");
        var output = await RlpCommand.Succeed("bench", "learner", "--model", model.Model, "--batch", "2", "--length", "4", "--repeats", "1");
        Assert.Matches(@"(?m)^tokens/s +\d+  \(\d+\.\d{3} s a step\)$", output);
        Assert.Matches(@"(?m)^utilisation  \d+ %", output);
    }

    private static async Task<JsonElement> Figures(params string[] arguments) =>
        JsonDocument.Parse(await RlpCommand.Succeed(["bench", .. arguments, "--json"])).RootElement;
}
