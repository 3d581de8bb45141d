namespace Rlp.Chaos.Tests;

/// <summary>The arithmetic recipe through all its stages, in seconds.</summary>
internal static class SmallRun
{
    /// <summary>Of all its stages.</summary>
    public static int Steps(int pretrain = 12) => pretrain + 4 + 4 + 16; // cpt, cpt-thoughts, rlp

    private const string Assignments = "pretrain.steps=12 pretrain.batch-size=16 cpt.steps=4 cpt.batch-size=16 rlp.steps=16 rlp.batch-size=4 rlp.group-size=4 "
        + "rlp.checkpoint-every=5 rlp.evaluate-every=8 compare.problems=8 compare.problems-while-training=4";

    public static string[] Train(string folder, string run, params string[] more) =>
    [
        "train", "hocon/recipes/arithmetic.hocon", "--runs", folder, "--run-id", run, "--log-interval", "0",
        .. Assignments.Split(' ').Concat(more).SelectMany(set => new[] { "--set", set }),
    ];

    /// <summary>A line for each of its steps.</summary>
    public static async Task<string> DigestsAsync(string folder, string run, int steps)
    {
        var (code, output) = await RlpProcess.RunAsync("runs", "digests", run, "--json", "--runs", folder);
        Assert.True(code == 0, output);
        Assert.Equal(steps, output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Length);
        return output;
    }
}
