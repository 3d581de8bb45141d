using Rlp.Training.Engines;

namespace Rlp.Training.Tests;

public sealed class StageFlopsTests
{
    [Fact]
    public void A_step_counts_what_each_of_its_passes_computes()
    {
        using var policy = new TinyPolicy(architecture: "nemotron");
        var (parameters, width, state) = policy.Decoder.Costs;
        Assert.True(state > 0);
        var thoughts = new[] { 3, 2 }.Select(length => new SampledThought(new int[length], new float[length], false, 0)).ToArray();
        var group = new ScoredGroup(new SampledGroup(new GroupPosition(0, new int[5], 1), thoughts), 0);

        // Tokens computed: the teacher's prefix; prefix and marker once and the thoughts behind them, sampled once and trained on for three passes.
        var tokens = 5 + (4 * (6 + 3 + 2));
        var pairs = (5 * 6 / 2) + (4 * ((6 * 7 / 2) + ((3 * 6) + (3 * 4 / 2)) + ((2 * 6) + (2 * 3 / 2))));
        Assert.Equal((2.0 * parameters * tokens) + (state * tokens) + (4.0 * width * pairs), StageFlops.Rlp(policy.Decoder, [group]), 1e-6);
        Assert.Equal(3.0 * ((((2 * parameters) + state) * 7) + (4 * width * 28)), StageFlops.Ntp(policy.Decoder, [new int[7]]), 1e-6);
    }
}
