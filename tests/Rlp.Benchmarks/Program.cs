using System.CommandLine;
using Rlp.Training;

namespace Rlp.Benchmarks;

public static class Program
{
    private static readonly Section[] Sections =
    [
        new("decode", "Sampling thoughts, tokens per second, beside llama.cpp on the same weights.", DecodeSection.Measure),
        new("learner", "Training, tokens per second, beside the GEMM peak and beside training without shared prefixes.", LearnerSection.Measure),
        new("step", "A whole RLP step beside the sum of its parts and beside the plain formulation of Algorithm 1.", StepSection.Measure),
        new("memory", "Managed heap, resident set and live tensors over a thousand steps.", MemorySection.Measure),
        new("growth", "Time and memory per thought token as prefix, thought, G, vocabulary and parameters grow.", GrowthSection.Measure),
        new("gpu", "Decoding and training with the shapes of Qwen3-0.6B and 1.7B on a GPU, beside plain PyTorch there.", GpuSection.Measure),
        new("actor-path", "The actor system's cost over the bare loop on the smallest steps that there are.", ActorPath.Measure),
        new("journal", "What journaling takes of a step, in a file and in PostgreSQL.", JournalSection.Measure),
        new("telemetry", "What traces, metrics and their collection take of a step.", TelemetrySection.Measure),
    ];

    public static Task<int> Main(string[] arguments)
    {
        OpenMpWaiting.Prepare();
        var root = new RootCommand("Figures of RLP.Akka, each beside another way to do the same work, measured in turns in one process.\n\n"
            + "Examples:\n  dotnet run -c Release --project tests/Rlp.Benchmarks -- all --output tests/Rlp.Benchmarks/results/2026-11.json\n"
            + "  dotnet run -c Release --project tests/Rlp.Benchmarks -- decode --quick\n\n"
            + $"llama.cpp, the peer of decode, is fetched once by\n  {LlamaCpp.Fetch}\n\n"
            + $"PyTorch, the peer of gpu, is that of python3, or of the interpreter that {TorchPeer.Variable} names")
        {
            GrowthPoint.Command(), Heartbeats.Command(), OpenMp.Command(), OpenMp.Child(),
        };
        foreach (var command in PlanMemory.Commands()) root.Add(command);
        root.Add(Section.All(Sections));
        foreach (var section in Sections) root.Add(section.Command());
        return root.Parse(arguments).InvokeAsync();
    }
}
