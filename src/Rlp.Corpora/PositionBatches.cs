namespace Rlp.Corpora;

/// <summary>One position: the prefix x_&lt;t, at least one token, cut from the left to the context length, and the observed token x_t.</summary>
public sealed record CorpusPosition(int[] Prefix, int NextToken);

/// <summary>The positions of one batch, and where the next batch begins.</summary>
public sealed record PositionBatch(IReadOnlyList<CorpusPosition> Positions, DataCursor Next);

/// <summary>
/// (prefix, next token) pairs, step 2 of Algorithm 1. Positions of one document come in order and go on in the next batch where this one is
/// full: <see cref="DataCursor.Offset"/> is the smallest offset t that may still be taken.
/// </summary>
public sealed class PositionBatches
{
    private readonly EncodedDocuments documents;
    private readonly IPositionStrategy strategy;
    private readonly int contextLength;

    /// <param name="stream">Where the documents come from.</param>
    /// <param name="encode">Document to tokens.</param>
    /// <param name="strategy">Which positions of a document are taken.</param>
    /// <param name="contextLength">Most tokens of a prefix, at least 1.</param>
    public PositionBatches(DocumentStream stream, TextEncoder encode, IPositionStrategy strategy, int contextLength)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(contextLength, 1);
        documents = new EncodedDocuments(stream, encode);
        this.strategy = strategy;
        this.contextLength = contextLength;
    }

    /// <summary>The batch that begins at the cursor; a pure function of the cursor and the size.</summary>
    /// <exception cref="CorpusException">10,000 documents in a row have no position, or the cursor is not of this stream.</exception>
    public PositionBatch Load(DataCursor from, int batchSize)
    {
        EncodedDocuments.CheckCursor(from, batchSize);
        var positions = new List<CorpusPosition>(batchSize);
        var (number, offset) = from;
        var fruitless = 0;
        while (positions.Count < batchSize)
        {
            var tokens = documents.At(number);
            var chosen = Choose(tokens, number);
            var next = 0;
            while (next < chosen.Count && chosen[next] < offset) next++;
            // A saved offset always has a position left: the cursor moves to the next document otherwise.
            if (offset > 0 && next == chosen.Count) throw EncodedDocuments.OffsetOutside(new DataCursor(number, offset), tokens.Length);
            if (chosen.Count == 0)
            {
                if (++fruitless == EncodedDocuments.MostFruitless)
                    throw documents.Fruitless(number, $"{strategy.Description}, in documents of at least 2 tokens");
            }
            else
            {
                fruitless = 0;
            }

            for (; next < chosen.Count && positions.Count < batchSize; next++)
            {
                var t = chosen[next];
                positions.Add(new CorpusPosition(tokens[Math.Max(0, t - contextLength)..t], tokens[t]));
            }
            (number, offset) = next == chosen.Count ? (number + 1, 0) : (number, chosen[next]);
        }
        return new PositionBatch(positions, new DataCursor(number, offset));
    }

    private IReadOnlyList<int> Choose(int[] tokens, long number)
    {
        if (tokens.Length < 2) return [];
        var chosen = strategy.Choose(tokens, number);
        for (var i = 0; i < chosen.Count; i++)
            if (chosen[i] >= tokens.Length || chosen[i] <= (i == 0 ? 0 : chosen[i - 1]))
                throw new InvalidOperationException($"{strategy.GetType().Name} chose [{string.Join(", ", chosen.Take(20))}] in a document of "
                    + $"{tokens.Length} tokens: positions must ascend strictly within [1, {tokens.Length})");
        return chosen;
    }
}
