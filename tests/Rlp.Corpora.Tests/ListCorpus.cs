namespace Rlp.Corpora.Tests;

/// <summary>Documents given one by one.</summary>
internal sealed class ListCorpus(string name, params string[] texts) : ICorpus
{
    public string Name => name;

    public long Count => texts.Length;

    public string Fingerprint => name;

    public Document Read(long index) => new(index, texts[index]);

    public string SplitKey(Document document) => document.Text;

    public static ListCorpus Numbered(string name, int count) => new(name, [.. Enumerable.Range(0, count).Select(i => $"{name} {i}")]);
}
