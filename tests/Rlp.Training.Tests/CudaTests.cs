using Rlp.Training.Engines;
using Rlp.Training.Engines.Torch;
using Rlp.Training.Recipes;
using Rlp.Training.Sampling;
using static TorchSharp.torch;

namespace Rlp.Training.Tests;

/// <summary>Sampling, scoring and learning on a GPU do what they do on the CPU. Skipped where there is none.</summary>
public sealed class CudaTests
{
    public CudaTests() =>
        Assert.SkipUnless(cuda.is_available(), "no CUDA device: libtorch is the build without CUDA, or there is no GPU");

    public static TheoryData<string> Architectures => TinyPolicy.Architectures;

    [Theory]
    [MemberData(nameof(Architectures))]
    public void Thoughts_are_those_of_the_CPU_and_their_evidence_is_that_of_a_full_pass(string architecture)
    {
        using TinyPolicy host = new(architecture: architecture), device = new(architecture: architecture, device: CUDA);
        foreach (var settings in new[]
                 {
                     new SamplingSettings { Temperature = 1.5, MaxThoughtTokens = 40 },
                     new SamplingSettings { Temperature = 1.5, MinThoughtTokens = 7, MaxThoughtTokens = 40, TopK = 9, TopP = 0.9, MinP = 0.02 },
                 })
        {
            var positions = host.Positions("1+2=", "3+4-5=", "9=", "7-");
            using ThoughtSampler onHost = new(host.Decoder, host.Tokenizer, 2, settings), onDevice = new(device.Decoder, device.Tokenizer, 2, settings);
            var (expected, groups) = (onHost.Sample(1, positions, 16), onDevice.Sample(1, positions, 16));

            var pairs = expected.SelectMany(g => g.Thoughts).Zip(groups.SelectMany(g => g.Thoughts)).ToList();
            Assert.InRange(pairs.Count(p => p.First.Tokens.SequenceEqual(p.Second.Tokens)), pairs.Count - 1, pairs.Count); // rounding may turn one draw
            var full = new EvidenceScorer(device.Decoder, device.Tokenizer, 64).WithThought(groups);
            Assert.All(full.Zip(pairs), p => Assert.Equal(p.First, p.Second.Second.PredictedEvidence, 1e-5));
            Assert.True(full.Distinct().Count() > 10, "the thoughts should matter");
            var teacher = new EvidenceScorer(host.Decoder, host.Tokenizer, 64).WithoutThought(positions);
            Assert.All(teacher.Zip(new EvidenceScorer(device.Decoder, device.Tokenizer, 64).WithoutThought(positions)), p => Assert.Equal(p.First, p.Second, 1e-5));
        }
    }

    /// <summary>bfloat16 leaves 2^-9 per rounding, see <see cref="Bfloat16Tests"/>; float32 on another device sums in another order.</summary>
    [Theory]
    [InlineData("qwen3", StageKind.Ntp, ScalarType.Float32, 1e-5)]
    [InlineData("qwen3", StageKind.Rlp, ScalarType.Float32, 1e-5)]
    [InlineData("llama", StageKind.Rlp, ScalarType.Float32, 1e-5)]
    [InlineData("nemotron", StageKind.Rlp, ScalarType.Float32, 1e-5)]
    [InlineData("qwen3", StageKind.Ntp, ScalarType.BFloat16, 0.02)]
    [InlineData("qwen3", StageKind.Rlp, ScalarType.BFloat16, 0.02)]
    [InlineData("llama", StageKind.Rlp, ScalarType.BFloat16, 0.02)]
    [InlineData("nemotron", StageKind.Rlp, ScalarType.BFloat16, 0.03)]
    public void A_step_has_the_gradient_of_the_CPU_and_makes_the_same_update(string architecture, StageKind kind, ScalarType dtype, double bound)
    {
        using TinyPolicy host = new(range: 0.1, architecture: architecture), device = new(range: 0.1, architecture: architecture, dtype: dtype, device: CUDA);
        var groups = Groups();
        foreach (var microBatchTokens in new[] { 16_384, 20 })
        {
            host.Decoder.Initialize(1); // the policy that sampled: after an update rounding would also turn what is clipped
            device.Parameters.CopyFrom(host.Parameters);
            var (expected, hostStep) = Step(host, kind, microBatchTokens, groups);
            var (gradient, deviceStep) = Step(device, kind, microBatchTokens, groups);

            Assert.InRange(((gradient - expected).norm() / expected.norm()).item<float>(), 0, bound);
            Assert.Equal(hostStep.Loss, deviceStep.Loss, bound * Math.Max(1, Math.Abs(hostStep.Loss)));
            Assert.Equal(hostStep.GradNorm, deviceStep.GradNorm, bound * hostStep.GradNorm);
            if (dtype != ScalarType.Float32) continue; // Adam's first update is the gradient's sign, which rounding turns where it is near zero
            var moved = (device.Parameters.Master.cpu() - host.Parameters.Master).abs().mean().item<float>();
            Assert.InRange(moved, 0, 1e-5); // of a learning rate of 1e-3
        }
    }

    [Fact]
    public void A_run_on_a_GPU_continues_from_its_checkpoint()
    {
        using var folder = new Metrics.TemporaryFolder();
        var recipe = TinyRecipes.Arithmetic(beta: 0.01, staleness: 1);
        CheckpointReference Train(string stage, int steps, CheckpointReference? from)
        {
            using var loop = new BareLoop(new TorchEngineFactory(CUDA), TinyRecipes.Context(recipe, stage, folder["run"]), from);
            for (var i = 0; i < steps; i++) Assert.True(double.IsFinite(loop.Next().Applied.Loss));
            Assert.InRange(loop.Evaluate(8).PredictedEvidence, -20, 0);
            return loop.Save();
        }

        var first = Train("rlp", 3, Train("pretrain", 2, null));
        Assert.Equal(3, first.Step);
        Assert.Equal(5, Train("rlp", 2, first).Step);
    }

    private static (Tensor Gradient, AppliedStep Step) Step(TinyPolicy policy, StageKind kind, int microBatchTokens, IReadOnlyList<ScoredGroup> groups)
    {
        using var learner = new Learner(policy.Decoder, policy.Tokenizer, new StageSettings
        {
            Id = "s",
            Kind = kind,
            Steps = 1000,
            BatchSize = 16,
            Data = [],
            MicroBatchTokens = microBatchTokens,
            Optimizer = new OptimizerSettings { LearningRate = 1e-3, MaxGradNorm = 0 },
            Rlp = kind == StageKind.Rlp ? new RlpSettings { GroupSize = 4, Temperature = 0.7, MaxThoughtTokens = 6 } : null,
        });
        var documents = new Corpora.ArithmeticCorpus("plain", terms: 3, seed: 1);
        var applied = kind == StageKind.Rlp
            ? learner.ApplyRlp(1, groups)
            : learner.ApplyNtp(1, [.. Enumerable.Range(0, 16).Select(i => policy.Tokenizer.Encode(documents.Read(i).Text))]);
        return (policy.Parameters.Gradients!.cpu(), applied);
    }

    private static IReadOnlyList<ScoredGroup> Groups()
    {
        using var behaviour = new TinyPolicy(range: 0.1, trainable: false);
        using var sampler = new ThoughtSampler(behaviour.Decoder, behaviour.Tokenizer, seed: 4, new SamplingSettings { Temperature = 0.7, MaxThoughtTokens = 6 });
        return [.. sampler.Sample(1, behaviour.Positions("1+2=", "3+4-5=", "9="), 4).Select(g => new ScoredGroup(g, -2))];
    }
}
