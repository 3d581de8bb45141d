namespace Rlp.Chaos.Tests;

internal static class Suite
{
    /// <summary>Each takes half a minute and more: together they are too long for every change.</summary>
    public static void Further(bool further) => Assert.SkipWhen(
        further && Environment.GetEnvironmentVariable("RLP_CHAOS_ALL") is null, "a longer suite; RLP_CHAOS_ALL=1 runs it");

    /// <summary>Writes a figure to the test's output, and to the file that RLP_SOAK_LOG names.</summary>
    public static void Record(this ITestOutputHelper output, string line)
    {
        output.WriteLine(line);
        if (Environment.GetEnvironmentVariable("RLP_SOAK_LOG") is { } path) File.AppendAllText(path, line + "\n");
    }
}
