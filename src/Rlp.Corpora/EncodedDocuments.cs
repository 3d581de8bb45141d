namespace Rlp.Corpora;

/// <summary>
/// The tokens of a stream's documents. Remembers the last one only, because a document longer than a batch is asked for again by the next.
/// </summary>
internal sealed class EncodedDocuments(DocumentStream stream, TextEncoder encode)
{
    /// <summary>A search ends with an error after this many documents in a row that gave nothing.</summary>
    public const int MostFruitless = 10_000;

    private sealed record Encoded(long Number, int[] Tokens);

    private volatile Encoded? last;

    public int[] At(long number)
    {
        var remembered = last;
        if (remembered is null || remembered.Number != number) last = remembered = new Encoded(number, encode(stream.At(number).Text));
        return remembered.Tokens;
    }

    public CorpusException Fruitless(long number, string soughtFor)
    {
        var corpus = stream.Draw(number).Corpus.Name;
        return new CorpusException($"corpus '{corpus}': {MostFruitless} documents in a row (up to number {number}) gave nothing; looked for {soughtFor}. "
            + "Check the position settings, the tokenizer and the corpus.");
    }

    public static void CheckCursor(DataCursor from, int batchSize)
    {
        if (from.Document < 0 || from.Offset < 0) throw new ArgumentOutOfRangeException(nameof(from), from, "a cursor has no negative part");
        ArgumentOutOfRangeException.ThrowIfLessThan(batchSize, 1);
    }

    public static CorpusException OffsetOutside(DataCursor from, int length) =>
        new($"the cursor {from} points behind the end of document {from.Document}, which has {length} tokens: the corpus, the tokenizer or the "
            + "position settings are not those that the cursor was saved with.");
}
