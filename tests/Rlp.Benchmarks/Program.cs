using System.CommandLine;
using Rlp.Training;

namespace Rlp.Benchmarks;

public static class Program
{
    public static Task<int> Main(string[] arguments)
    {
        OpenMpWaiting.Prepare();
        var root = new RootCommand("Figures of RLP.Akka; --help of each command says what it compares.\n\n"
            + "Example:\n  dotnet run -c Release --project tests/Rlp.Benchmarks -- actor-path")
        {
            ActorPath.Command(), Heartbeats.Command(), OpenMp.Command(),
        };
        root.Add(OpenMp.Child());
        foreach (var command in PlanMemory.Commands()) root.Add(command);
        return root.Parse(arguments).InvokeAsync();
    }
}
