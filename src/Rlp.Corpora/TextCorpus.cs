namespace Rlp.Corpora;

/// <summary>
/// A plain UTF-8 file (or one compressed by gzip, path ending in .gz) whose documents stand between separators. The separators belong to no
/// document, empty documents are passed over, and nothing else is trimmed or normalised; a byte order mark is not part of the text.
/// </summary>
public sealed class TextCorpus : ICorpus, IDisposable
{
    private readonly RecordFile file;

    /// <param name="name">The corpus's name in the recipe.</param>
    /// <param name="path">The file; it must stay as it is while the corpus is open.</param>
    /// <param name="separator">What stands between two documents; empty: the whole file is one document.</param>
    /// <exception cref="CorpusException">The file is missing, unreadable, empty or not UTF-8; the message names it and the byte offset.</exception>
    public TextCorpus(string name, string path, string separator)
    {
        Name = name;
        file = new RecordFile(path, separator);
        file.Keep(record => file.LengthOf(record) > 0);
        if (file.Count == 0)
        {
            file.Dispose();
            throw new CorpusException($"{path}: nothing stands between the separators; a corpus needs at least one document.");
        }
        Fingerprint = CorpusFingerprint.Of("text", separator, file.Sha256);
    }

    public string Name { get; }

    public long Count => file.Count;

    public string Fingerprint { get; }

    public Document Read(long index)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(index);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(index, Count);
        return new Document(index, file.ReadText((int)index));
    }

    public string SplitKey(Document document) => document.Text;

    public void Dispose() => file.Dispose();
}
