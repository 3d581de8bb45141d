using Rlp.Cli.Tests.Configuration;
using Rlp.Models.Tests;
using TorchSharp;

namespace Rlp.Cli.Tests.Commands;

[Collection(RlpCommand.Collection)]
public sealed class NodeDeviceTests
{
    [Fact]
    public async Task A_run_on_a_GPU_that_is_not_there_is_refused_before_it_begins_and_told_what_to_set()
    {
        Assert.SkipWhen(torch.cuda.is_available(), "there is a CUDA device here");
        using var folder = new TemporaryFolder();
        var recipe = Path.Combine(RecipeText.Repository(), "hocon", "recipes", "arithmetic.hocon");
        var (code, _, error) = await RlpCommand.Run("train", recipe, "--runs", folder["runs"], "--set", "node.device=cuda");

        Assert.Equal(ExitCodes.BrokenEnvironment, code);
        Assert.Contains("no CUDA device", error);
        Assert.Contains("node.device = cpu", error);
        Assert.False(Directory.Exists(folder["runs"]));
    }
}
