using Rlp.Models;
using Rlp.Training.Planning;
using Rlp.Training.Recipes;
using TorchSharp;

namespace Rlp.Training.Tests.Planning;

public sealed class StageMemoryTests
{
    public static TheoryData<string> Architectures => TinyPolicy.Architectures;

    [Theory]
    [MemberData(nameof(Architectures))]
    public void What_a_stage_holds_is_what_its_tensors_take(string architecture)
    {
        using var policy = new TinyPolicy(architecture: architecture);
        var stage = TinyRecipes.Arithmetic(beta: 0.1).Stage("rlp");
        using var teacher = new EmaTeacher(policy.Parameters, 0.9);
        using var optimizer = new AdamW(policy.Parameters, stage.Optimizer, stage.Steps);
        var memory = StageMemory.Of(WeightType.Float32, stage, policy.Decoder.Config, policy.Parameters.Layout.Length, onCpu: false);
        long Part(string name) => memory.Held.Single(p => p.Name == name).Bytes;
        Assert.Equal(Bytes(policy.Parameters.Values), Part("policy weights"));
        Assert.Equal(Bytes(policy.Parameters.Gradients!), Part("gradients"));
        Assert.Equal(Bytes(optimizer.FirstMoment) + Bytes(optimizer.SecondMoment), Part("AdamW moments"));
        Assert.Equal(Bytes(teacher.Parameters.Values), Part("teacher"));
        Assert.Equal(Bytes(teacher.Parameters.Values), Part("reference"));
        Assert.DoesNotContain(memory.Held, p => p.Name is "master weights" or "older versions");
        var ahead = StageMemory.Of(
            WeightType.Float32, TinyRecipes.Arithmetic(staleness: 2).Stage("rlp"), policy.Decoder.Config, policy.Parameters.Layout.Length, onCpu: false);
        Assert.Equal(6 * Bytes(policy.Parameters.Values), ahead.Held.Single(p => p.Name == "older versions").Bytes); // three of policy and teacher each
    }

    [Fact]
    public void Half_the_bits_halve_the_weights_and_add_whole_ones_for_the_optimizer()
    {
        using var policy = new TinyPolicy();
        var length = policy.Parameters.Layout.Length;
        using var half = new ParameterArena(policy.Parameters.Layout, trainable: true, dtype: torch.ScalarType.BFloat16);
        var memory = StageMemory.Of(WeightType.Bfloat16, TinyRecipes.Arithmetic().Stage("pretrain"), policy.Decoder.Config, length, onCpu: false);
        Assert.Equal(
            new Dictionary<string, long>
            {
                ["policy weights"] = Bytes(half.Values),
                ["gradients"] = Bytes(half.Values) + Bytes(half.Gradients!),
                ["AdamW moments"] = 2 * Bytes(policy.Parameters.Values),
                ["master weights"] = Bytes(policy.Parameters.Values),
                ["runtime"] = StageMemory.RuntimeBytes,
            },
            memory.Held.ToDictionary(p => p.Name, p => p.Bytes));
    }

    [Fact]
    public void The_cache_is_that_of_one_lane_at_its_longest()
    {
        using var policy = new TinyPolicy();
        var recipe = TinyRecipes.Arithmetic(lanes: 2); // 5 positions: the larger lane has 3
        var memory = StageMemory.Of(WeightType.Float32, recipe.Stage("rlp"), policy.Decoder.Config, 1, onCpu: false);
        var perToken = 2 * 2 * 2 * 4 * sizeof(float); // keys and values of two layers, two heads, four dimensions
        Assert.Equal(
            perToken * ((3 * 1025) + (3 * 4 * 6)), // prefixes and their marker once, then four thoughts of six behind each
            memory.Phases.Single(p => p.Name == "rollout").Parts.Single(p => p.Name == "key-value cache").Bytes);
    }

    [Fact]
    public void Phases_take_turns_and_what_is_held_adds_up()
    {
        using var policy = new TinyPolicy();
        var memory = StageMemory.Of(WeightType.Float32, TinyRecipes.Arithmetic().Stage("rlp"), policy.Decoder.Config, 1000, onCpu: false);
        Assert.Equal(["rollout", "evidence", "learning", "update"], memory.Phases.Select(p => p.Name));
        Assert.Equal(memory.Held.Sum(p => p.Bytes) + memory.Phases.Max(p => p.Bytes), memory.PeakBytes);
        Assert.Equal(memory.PeakBytes, memory.Peak.Sum(p => p.Bytes));
    }

    [Fact]
    public void On_a_cpu_the_memory_of_other_phases_is_not_found_again()
    {
        using var policy = new TinyPolicy();
        StageMemory Memory(bool onCpu) => StageMemory.Of(WeightType.Float32, TinyRecipes.Arithmetic().Stage("rlp"), policy.Decoder.Config, 1000, onCpu);
        var reserve = Memory(onCpu: true).Held.Single(p => p.Name == "allocator's reserve");
        var phases = Memory(onCpu: true).Phases.ToDictionary(p => p.Name, p => p.Bytes);
        Assert.InRange(reserve.Bytes, phases["rollout"] + phases["evidence"], phases["rollout"] + phases["evidence"] + (phases["learning"] / 2));
    }

    [Fact]
    public void A_micro_batch_bounds_the_activations()
    {
        using var policy = new TinyPolicy();
        long Activations(int microBatchTokens) => StageMemory.Of(
                WeightType.Float32, TinyRecipes.Arithmetic(microBatchTokens: microBatchTokens).Stage("pretrain"), policy.Decoder.Config, 1, onCpu: false)
            .Phases.Single(p => p.Name == "learning").Parts.Single(p => p.Name == "activations").Bytes;
        Assert.Equal(8 * Activations(1), Activations(16_384)); // one of eight documents of 1024 tokens at a time, or all
        Assert.Equal(3.9, Activations(4000) / (double)Activations(1), 0.01);
    }

    [Fact]
    public void A_node_that_only_samples_holds_neither_gradients_nor_moments()
    {
        using var policy = new TinyPolicy();
        var stage = TinyRecipes.Arithmetic().Stage("rlp");
        var rollout = StageMemory.OfRollout(WeightType.Float32, stage, policy.Decoder.Config, 1000, onCpu: false);
        Assert.Equal(["runtime", "policy weights", "teacher"], rollout.Held.Select(p => p.Name));
        Assert.Equal(["rollout", "evidence"], rollout.Phases.Select(p => p.Name));
    }

    private static long Bytes(torch.Tensor tensor) => tensor.numel() * tensor.element_size();
}
