using System.CommandLine;

namespace Rlp.Benchmarks;

public static class Program
{
    public static Task<int> Main(string[] arguments)
    {
        var root = new RootCommand("Figures of RLP.Akka, each a ratio of two ways to do the same work, measured in turns in one process.\n\n"
            + "Example:\n  dotnet run -c Release --project tests/Rlp.Benchmarks -- actor-path")
        {
            ActorPath.Command(),
        };
        return root.Parse(arguments).InvokeAsync();
    }
}
