namespace Rlp.Corpora;

/// <summary>Documents by index. Reads are pure and may come from several threads at once.</summary>
public interface ICorpus
{
    string Name { get; }

    /// <summary>Number of documents, at least 1; a generated corpus may be too large to enumerate.</summary>
    long Count { get; }

    /// <exception cref="ArgumentOutOfRangeException">The index is not in [0, <see cref="Count"/>).</exception>
    /// <exception cref="CorpusException">The file behind the corpus cannot be read, or has changed since it was opened.</exception>
    Document Read(long index);

    /// <summary>What decides the side of a <see cref="HeldOutSplit"/>: documents that pose the same problem have equal keys.</summary>
    string SplitKey(Document document);

    /// <summary>Lower-case hexadecimal SHA-256 of everything that decides the documents; the name and the place of a file do not.</summary>
    string Fingerprint { get; }
}
