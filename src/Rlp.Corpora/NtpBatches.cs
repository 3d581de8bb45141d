namespace Rlp.Corpora;

/// <summary>The pieces of documents of one batch, each with 2 to contextLength tokens, and where the next batch begins.</summary>
public sealed record NtpBatch(IReadOnlyList<int[]> Documents, DataCursor Next);

/// <summary>
/// Documents for next-token prediction. A document longer than the context goes on in the following item, which begins with the last token
/// of the one before: so every token of a document but its first is predicted exactly once. <see cref="DataCursor.Offset"/> is the
/// token at which the next piece begins.
/// </summary>
public sealed class NtpBatches
{
    private readonly EncodedDocuments documents;
    private readonly int contextLength;

    /// <param name="stream">Where the documents come from.</param>
    /// <param name="encode">Document to tokens.</param>
    /// <param name="contextLength">Most tokens of an item, at least 2.</param>
    public NtpBatches(DocumentStream stream, TextEncoder encode, int contextLength)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(contextLength, 2);
        documents = new EncodedDocuments(stream, encode);
        this.contextLength = contextLength;
    }

    /// <summary>The batch that begins at the cursor; a pure function of the cursor and the size.</summary>
    /// <exception cref="CorpusException">10,000 documents in a row have fewer than 2 tokens, or the cursor is not of this stream.</exception>
    public NtpBatch Load(DataCursor from, int batchSize)
    {
        EncodedDocuments.CheckCursor(from, batchSize);
        var pieces = new List<int[]>(batchSize);
        var (number, offset) = from;
        var fruitless = 0;
        while (pieces.Count < batchSize)
        {
            var tokens = documents.At(number);
            if (offset > 0 && offset > tokens.Length - 2) throw EncodedDocuments.OffsetOutside(new DataCursor(number, offset), tokens.Length);
            if (tokens.Length < 2)
            {
                if (++fruitless == EncodedDocuments.MostFruitless) throw documents.Fruitless(number, "documents of at least 2 tokens");
                number++;
                continue;
            }
            fruitless = 0;
            var end = Math.Min(tokens.Length, offset + contextLength);
            pieces.Add(tokens[offset..end]);
            (number, offset) = end == tokens.Length ? (number + 1, 0) : (number, end - 1);
        }
        return new NtpBatch(pieces, new DataCursor(number, offset));
    }
}
