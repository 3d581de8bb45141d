namespace Rlp.Corpora;

/// <summary>The positions k, 2k, 3k and so on.</summary>
public sealed class EveryKthPosition : IPositionStrategy
{
    private readonly int k;

    /// <param name="k">Tokens from one position to the next, at least 1.</param>
    public EveryKthPosition(int k)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(k, 1);
        this.k = k;
    }

    public string Description => $"every position that is a multiple of {k}";

    public IReadOnlyList<int> Choose(ReadOnlySpan<int> tokens, long document)
    {
        var positions = new int[Math.Max(0, tokens.Length - 1) / k];
        for (var i = 0; i < positions.Length; i++) positions[i] = (i + 1) * k;
        return positions;
    }
}
