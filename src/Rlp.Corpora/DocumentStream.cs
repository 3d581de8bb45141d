namespace Rlp.Corpora;

/// <summary>
/// The endless sequence of documents that a stage draws from its mixture, all from one side of the split. Draw n is a pure function of the
/// arguments and n. A mixture of one part passes over every document of its side exactly once per epoch, in another order each time; in a
/// mixture of several, each draw picks its part at random by weight, and no document of a part comes twice in as many draws as the part has
/// documents. A corpus of more than <see cref="MostListed"/> documents is probed instead of listed, and then a document may come twice.
/// </summary>
public sealed class DocumentStream
{
    /// <summary>Up to this many documents, the indices of the stream's side are listed at opening (4 bytes each).</summary>
    public const long MostListed = 50_000_000;

    private const int MostProbes = 100_000;

    private readonly Part[] parts;
    private readonly double[] cumulativeWeights;
    private readonly ulong partKey;

    private sealed record Part(ICorpus Corpus, HeldOutSplit Split, int[]? Listed, long Count, DeterministicShuffle Shuffle);

    /// <inheritdoc cref="DocumentStream(IReadOnlyList{ValueTuple{ICorpus, double, HeldOutSplit}}, ulong, bool)"/>
    /// <param name="mixture">The corpora with their shares, relative to the sum.</param>
    /// <param name="seed">Decides the parts drawn and the order within each.</param>
    /// <param name="split">Which documents are held out, the same for every part.</param>
    /// <param name="heldOut">True draws held-out documents only, false only others.</param>
    public DocumentStream(IReadOnlyList<(ICorpus Corpus, double Weight)> mixture, ulong seed, HeldOutSplit split, bool heldOut)
        : this([.. mixture.Select(part => (part.Corpus, part.Weight, split))], seed, heldOut)
    {
    }

    /// <summary>Opens the stream; reads each listed corpus once to find the documents of its side.</summary>
    /// <param name="mixture">The corpora with their shares, relative to the sum, and splits; a part of weight 0 is never drawn.</param>
    /// <param name="seed">Decides the parts drawn and the order within each.</param>
    /// <param name="heldOut">True draws held-out documents only, false only others.</param>
    /// <exception cref="ArgumentException">A weight is negative or not finite, or none is positive.</exception>
    /// <exception cref="CorpusException">A corpus has no document on the asked side.</exception>
    public DocumentStream(IReadOnlyList<(ICorpus Corpus, double Weight, HeldOutSplit Split)> mixture, ulong seed, bool heldOut)
    {
        foreach (var (corpus, weight, _) in mixture)
            if (weight is not (>= 0 and < double.PositiveInfinity))
                throw new ArgumentException($"corpus '{corpus.Name}': the weight {weight} is not a number from 0 upward", nameof(mixture));
        var drawn = mixture.Index().Where(part => part.Item.Weight > 0).ToList();
        if (drawn.Count == 0) throw new ArgumentException("a mixture needs at least one corpus with a positive weight", nameof(mixture));

        HeldOut = heldOut;
        parts = [.. drawn.Select(part => Open(part.Item.Corpus, part.Item.Split, Philox.Key(seed, $"mixture part {part.Index}"), heldOut))];
        cumulativeWeights = new double[parts.Length];
        var total = 0.0;
        for (var part = 0; part < parts.Length; part++) cumulativeWeights[part] = total += drawn[part].Item.Weight;
        partKey = Philox.Key(seed, "mixture");
    }

    public bool HeldOut { get; }

    /// <summary>The n-th drawn document, n from 0.</summary>
    public Document At(long n) => Draw(n).Document;

    /// <summary>The n-th drawn document with the corpus that it is from.</summary>
    public (ICorpus Corpus, Document Document) Draw(long n)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(n);
        var part = parts[PartOf(n)];
        var (epoch, position) = Math.DivRem(n, part.Count);
        if (part.Listed is not null) return (part.Corpus, part.Corpus.Read(part.Listed[part.Shuffle.Map(epoch, position)]));

        for (var probe = 0; probe < MostProbes; probe++)
        {
            var document = part.Corpus.Read(part.Shuffle.Map(epoch * MostProbes + probe, position));
            if (part.Split.IsHeldOut(part.Corpus.SplitKey(document)) == HeldOut) return (part.Corpus, document);
        }
        throw NoDocument(part.Corpus, part.Split, HeldOut, $"among {MostProbes} documents");
    }

    private int PartOf(long n)
    {
        if (parts.Length == 1) return 0;
        var drawn = Philox.Uniform(Philox.Block64(partKey, (ulong)n, 0).Low) * cumulativeWeights[^1];
        for (var part = 0; part < parts.Length - 1; part++)
            if (drawn < cumulativeWeights[part]) return part;
        return parts.Length - 1;
    }

    private static Part Open(ICorpus corpus, HeldOutSplit split, ulong seed, bool heldOut)
    {
        if (heldOut && split.Fraction == 0) throw NoDocument(corpus, split, heldOut, "");
        if (corpus.Count > MostListed) return new Part(corpus, split, null, corpus.Count, new DeterministicShuffle(corpus.Count, seed));

        var listed = new List<int>();
        for (var index = 0; index < corpus.Count; index++)
            if (split.Fraction == 0 || split.IsHeldOut(corpus.SplitKey(corpus.Read(index))) == heldOut) listed.Add(index);
        if (listed.Count == 0) throw NoDocument(corpus, split, heldOut, $"among {corpus.Count} documents");
        return new Part(corpus, split, [.. listed], listed.Count, new DeterministicShuffle(listed.Count, seed));
    }

    private static CorpusException NoDocument(ICorpus corpus, HeldOutSplit split, bool heldOut, string where) =>
        new($"corpus '{corpus.Name}': no {(heldOut ? "held-out" : "training")} document {where}{(where == "" ? "" : " ")}"
            + $"with a held-out share of {split.Fraction}. {(heldOut ? "Raise" : "Lower")} the share, or give the corpus more documents.");
}
