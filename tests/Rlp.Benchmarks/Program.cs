using System.CommandLine;

namespace Rlp.Benchmarks;

public static class Program
{
    private static readonly Section[] Sections =
    [
        new("decode", "Sampling thoughts, tokens per second, beside llama.cpp on the same weights.", DecodeSection.Measure),
        new("learner", "Training, tokens per second, beside the machine's GEMM peak and beside training without shared prefixes.", LearnerSection.Measure),
    ];

    public static Task<int> Main(string[] arguments)
    {
        var root = new RootCommand("Figures of RLP.Akka, each beside another way to do the same work, measured in turns in one process.\n\n"
            + "Examples:\n  dotnet run -c Release --project tests/Rlp.Benchmarks -- all --output tests/Rlp.Benchmarks/results/2026-11.json\n"
            + "  dotnet run -c Release --project tests/Rlp.Benchmarks -- decode --quick\n\n"
            + $"llama.cpp, the peer of decode, is fetched once by\n  {LlamaCpp.Fetch}")
        {
            ActorPath.Command(),
        };
        root.Add(Section.All(Sections));
        foreach (var section in Sections) root.Add(section.Command());
        return root.Parse(arguments).InvokeAsync();
    }
}
