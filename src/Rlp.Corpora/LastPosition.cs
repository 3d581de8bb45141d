namespace Rlp.Corpora;

/// <summary>The document's very last token, whatever it is: a line break counts.</summary>
public sealed class LastPosition : IPositionStrategy
{
    public string Description => "the last token";

    public IReadOnlyList<int> Choose(ReadOnlySpan<int> tokens, long document) => tokens.Length < 2 ? [] : [tokens.Length - 1];
}
