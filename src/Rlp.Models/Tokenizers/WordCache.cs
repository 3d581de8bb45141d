namespace Rlp.Models.Tokenizers;

/// <summary>
/// The ids of words met before, in a table of fixed size where a new word takes the place of another: bounded memory, no locks, safe from
/// any thread because an entry never changes after it is published.
/// </summary>
internal sealed class WordCache
{
    public const int LongestWord = 64; // longer ones hardly come again

    private const int Slots = 1 << 16;
    private readonly Entry?[] entries = new Entry?[Slots];

    private sealed record Entry(string Word, int[] Ids);

    public int[]? Find(ReadOnlySpan<char> word) =>
        Volatile.Read(ref Slot(word)) is { } entry && word.SequenceEqual(entry.Word) ? entry.Ids : null;

    public void Add(ReadOnlySpan<char> word, int[] ids) => Volatile.Write(ref Slot(word), new Entry(word.ToString(), ids));

    private ref Entry? Slot(ReadOnlySpan<char> word) => ref entries[string.GetHashCode(word) & (Slots - 1)];
}
