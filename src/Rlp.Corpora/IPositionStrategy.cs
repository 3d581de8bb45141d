namespace Rlp.Corpora;

/// <summary>Chooses the positions of a document whose token is predicted from the tokens before it.</summary>
public interface IPositionStrategy
{
    /// <summary>
    /// Offsets t, 1 &lt;= t &lt; tokens.Length, strictly ascending: token x_t is predicted from the prefix tokens[0..t). Empty where the document
    /// has no such position. A pure function of the tokens and the document's number in the stream.
    /// </summary>
    IReadOnlyList<int> Choose(ReadOnlySpan<int> tokens, long document);

    /// <summary>What is looked for, as part of a sentence.</summary>
    string Description { get; }
}
