namespace Rlp.Corpora;

/// <summary>The fixed set of held-out problems that evaluations share.</summary>
public static class HeldOutProblems
{
    /// <summary>The first <paramref name="count"/> documents of the stream that pose different problems (have different split keys).</summary>
    /// <exception cref="ArgumentException">The stream draws training documents.</exception>
    /// <exception cref="CorpusException">The held-out side has too few different problems.</exception>
    public static IReadOnlyList<Document> Take(DocumentStream stream, int count)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(count);
        if (!stream.HeldOut) throw new ArgumentException("the stream draws training documents; problems must be held out", nameof(stream));
        var problems = new List<Document>(count);
        var seen = new HashSet<string>(StringComparer.Ordinal);
        for (long n = 0, fruitless = 0; problems.Count < count; n++)
        {
            var (corpus, document) = stream.Draw(n);
            if (seen.Add(corpus.SplitKey(document)))
            {
                problems.Add(document);
                fruitless = 0;
            }
            else if (++fruitless == EncodedDocuments.MostFruitless)
            {
                throw new CorpusException($"corpus '{corpus.Name}': only {problems.Count} of {count} different held-out problems exist "
                    + $"(the last {fruitless} draws gave none). Ask for fewer, or raise the held-out share.");
            }
        }
        return problems;
    }
}
