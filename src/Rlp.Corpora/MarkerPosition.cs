namespace Rlp.Corpora;

/// <summary>The position after each occurrence of a marker, overlapping ones included; a marker at the very end has none.</summary>
public sealed class MarkerPosition : IPositionStrategy
{
    private readonly int[] marker;

    /// <param name="markerTokens">The marker's tokens, at least one.</param>
    public MarkerPosition(int[] markerTokens)
    {
        if (markerTokens.Length == 0) throw new ArgumentException("a position marker needs at least one token", nameof(markerTokens));
        marker = [.. markerTokens];
    }

    public string Description => $"the position after each occurrence of the marker tokens [{string.Join(", ", marker)}]";

    public IReadOnlyList<int> Choose(ReadOnlySpan<int> tokens, long document)
    {
        var positions = new List<int>();
        for (var from = 0; from < tokens.Length;)
        {
            var hit = tokens[from..].IndexOf(marker);
            if (hit < 0) break;
            var position = from + hit + marker.Length;
            if (position < tokens.Length) positions.Add(position);
            from += hit + 1;
        }
        return positions;
    }
}
