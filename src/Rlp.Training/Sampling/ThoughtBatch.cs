using Rlp.Training.Engines;

namespace Rlp.Training.Sampling;

/// <summary>The thoughts that are being sampled, G for each position, position behind position.</summary>
internal sealed class ThoughtBatch(
    long step, IReadOnlyList<GroupPosition> positions, int groupSize, NoisePurpose purpose, long seed, int maximum, int end)
{
    private readonly int[] tokens = new int[checked(positions.Count * groupSize * maximum)];
    private readonly float[] logProbabilities = new float[positions.Count * groupSize * maximum];
    private readonly int[] lengths = new int[positions.Count * groupSize];
    private readonly double[] evidence = new double[positions.Count * groupSize];

    public int Count => lengths.Length;

    /// <summary>The closing marker.</summary>
    public int End => end;

    public int Position(int thought) => thought / groupSize;

    public int NextToken(int thought) => positions[thought / groupSize].NextToken;

    /// <summary>The random number that decides a thought's token.</summary>
    public double Noise(int thought, int index) =>
        SamplingNoise.Uniform(seed, purpose, step, positions[thought / groupSize].Group, thought % groupSize, index);

    public void Add(int thought, int token, float logProbability)
    {
        var at = (thought * maximum) + lengths[thought]++;
        (tokens[at], logProbabilities[at]) = (token, logProbability);
    }

    /// <summary>S_pred of a finished thought, in nats.</summary>
    public void SetEvidence(int thought, double nats) => evidence[thought] = nats;

    public SampledGroup[] Groups() => [.. positions.Select((position, i) => new SampledGroup(
        position, [.. Enumerable.Range(i * groupSize, groupSize).Select(Thought)]))];

    private SampledThought Thought(int thought)
    {
        int begin = thought * maximum, length = lengths[thought];
        return new SampledThought(
            tokens[begin..(begin + length)], logProbabilities[begin..(begin + length)], Clipped: length == maximum, evidence[thought]);
    }
}
