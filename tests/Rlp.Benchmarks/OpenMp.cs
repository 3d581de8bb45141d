using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using Rlp.Models;
using Rlp.Training;
using Rlp.Training.Measurement;

namespace Rlp.Benchmarks;

/// <summary>
/// How long OpenMP threads should spin: decoding one sequence and small training steps, with the cores free and with one busy thread beside them,
/// for several values of GOMP_SPINCOUNT and OMP_WAIT_POLICY. libgomp reads them once, so each is measured in a process of its own.
/// </summary>
internal static class OpenMp
{
    private const string ChildName = "openmp-child";

    /// <summary>The first is what libgomp does where nobody says anything.</summary>
    private static readonly (string Name, string Value)[] Settings =
    [
        ("GOMP_SPINCOUNT", "300000"), ("OMP_WAIT_POLICY", "passive"), ("OMP_WAIT_POLICY", "active"), ("GOMP_SPINCOUNT", "0"), ("GOMP_SPINCOUNT", "100"), ("GOMP_SPINCOUNT", "1000"),
        ("GOMP_SPINCOUNT", "10000"), ("GOMP_SPINCOUNT", "100000"),
    ];

    public static Command Command()
    {
        var command = new Command("openmp", "Tokens per second for several ways in which OpenMP threads wait, with free cores and beside a busy thread.");
        command.SetAction(async (_, _) =>
        {
            Console.WriteLine($"{"",-28}{"free cores",22}{"one busy thread",22}");
            Console.WriteLine($"{"",-28}{"decode",11}{"train",11}{"decode",11}{"train",11}  tokens/s");
            foreach (var (name, value) in Settings)
            {
                var start = new ProcessStartInfo(Environment.ProcessPath!, [ChildName]) { RedirectStandardOutput = true };
                start.Environment[name] = value;
                using var child = Process.Start(start) ?? throw new InvalidOperationException("no process was started");
                Console.WriteLine($"{$"{name}={value}",-28}{(await child.StandardOutput.ReadToEndAsync()).Trim('\n')}");
                await child.WaitForExitAsync();
            }
        });
        return command;
    }

    public static Command Child()
    {
        var child = new Command(ChildName, "One setting, in this process.") { Hidden = true };
        child.SetAction(_ =>
        {
            IntraOpThreads.Use(Environment.ProcessorCount);
            using var parameters = new ParameterArena(Decoder.Layout(BenchmarkModel.TenMillion), trainable: true);
            using var policy = Decoder.Create(BenchmarkModel.TenMillion, parameters);
            policy.Initialize(1);
            Console.Write(Rates(policy));
            var busy = true;
            var spinning = new Thread(() => { while (Volatile.Read(ref busy)) { } }) { IsBackground = true };
            spinning.Start();
            Console.WriteLine(Rates(policy));
            Volatile.Write(ref busy, false);
        });
        return child;
    }

    private static string Rates(IDecoder policy) => string.Create(CultureInfo.InvariantCulture,
        $"{SamplerMeasurement.Run(policy, new SamplerWorkload(Prefix: 16, NewTokens: 24, Groups: 1, GroupSize: 1), 5).TokensPerS,11:F0}"
        + $"{LearnerMeasurement.Run(policy, batch: 1, length: 64, 7).TokensPerS,11:F0}");
}
