using System.Text;
using Rlp.Cli.Commands;
using Rlp.Models.Hub;
using Rlp.Models.Tests;
using Rlp.Models.Tests.Hub;

namespace Rlp.Cli.Tests.Commands;

[Collection(RlpCommand.Collection)]
public sealed class ModelPullTests
{
    [Fact]
    public async Task A_model_is_fetched_with_the_token_and_a_second_pull_fetches_nothing()
    {
        await using var hub = await FakeHub.Start();
        using var folder = new TemporaryFolder();
        hub.Files["config.json"] = "{}"u8.ToArray();
        hub.Files["model.safetensors"] = Encoding.ASCII.GetBytes(new string('w', 100_000));
        string[] command = ["model", "pull", FakeHub.Repository, "--endpoint", hub.Address.AbsoluteUri, "--token", "secret", "--out", folder["model"]];
        Assert.Contains(FakeHub.Commit, await RlpCommand.Succeed(command));
        foreach (var (name, content) in hub.Files)
            Assert.Equal(content, await File.ReadAllBytesAsync(Path.Combine(folder["model"], name), TestContext.Current.CancellationToken));
        Assert.All(hub.Seen, request => Assert.Equal("Bearer secret", request.Authorization));
        var fetched = hub.Contents("model.safetensors").Count();
        Assert.Contains("already there", await RlpCommand.Succeed(command));
        Assert.Equal(fetched, hub.Contents("model.safetensors").Count());
    }

    [Fact]
    public async Task A_repository_that_is_not_there_breaks_the_environment_and_is_named()
    {
        await using var hub = await FakeHub.Start();
        using var folder = new TemporaryFolder();
        var (code, _, error) = await RlpCommand.Run("model", "pull", "tiny/absent", "--endpoint", hub.Address.AbsoluteUri, "--out", folder["model"]);
        Assert.Equal(ExitCodes.BrokenEnvironment, code);
        Assert.Contains("tiny/absent", error);
        Assert.False(Directory.Exists(folder["model"]));
    }

    [Fact]
    public void Progress_says_rate_and_time_left()
    {
        Assert.Equal(
            "m.safetensors: 1 GB of 4 GB (25 %), 40 MB/s, 1:15 left",
            ModelPullCommand.Text(new HubProgress("m.safetensors", 1_000_000_000, 4_000_000_000, 40e6)));
        Assert.Equal("m.safetensors: 5 B, 1 B/s", ModelPullCommand.Text(new HubProgress("m.safetensors", 5, null, 1)));
    }
}
