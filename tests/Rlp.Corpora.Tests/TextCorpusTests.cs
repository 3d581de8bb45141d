using System.Text;

namespace Rlp.Corpora.Tests;

public sealed class TextCorpusTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    private static List<string> All(ICorpus corpus) => [.. Enumerable.Range(0, (int)corpus.Count).Select(i => corpus.Read(i).Text)];

    [Theory]
    [InlineData("\n\n")]
    [InlineData("\n")]
    [InlineData("ab")]
    [InlineData("é")]
    [InlineData("aa")]
    public void Documents_are_what_string_split_gives_without_empty_ones(string separator)
    {
        const string text = "\n\naab\nè é\n\n\n\nc😀ab\n\n\naaaaba\n";
        using var corpus = new TextCorpus("t", folder.File("t.txt", text), separator);
        Assert.Equal(text.Split(separator, StringSplitOptions.RemoveEmptyEntries), All(corpus));
    }

    [Fact]
    public void Separators_and_characters_across_read_buffers_are_found()
    {
        // Buffers are a megabyte: three of them, with a separator or a four-byte character at every alignment around their ends.
        var text = new StringBuilder();
        for (var i = 0; text.Length < 2_500_000; i++) text.Append('x', i % 613).Append("😀é").Append("<|sep|>");
        using var corpus = new TextCorpus("t", folder.File("t.txt", text.ToString()), "<|sep|>");
        Assert.Equal(text.ToString().Split("<|sep|>", StringSplitOptions.RemoveEmptyEntries), All(corpus));
        foreach (var separator in new[] { "<|sep|>", "\n\n", "|" })
            for (var shift = 1; shift < 12; shift++)
            {
                var shifted = new string('y', (1 << 20) - shift) + "😀" + separator + "é";
                using var across = new TextCorpus("t", folder.File("s.txt", shifted), separator);
                Assert.Equal(shifted.Split(separator), All(across));
            }
    }

    [Fact]
    public void An_empty_separator_makes_the_file_one_document_without_its_byte_order_mark()
    {
        using var corpus = new TextCorpus("t", folder.File("t.txt", [0xEF, 0xBB, 0xBF, .. "a\n\nb\n"u8]), "");
        Assert.Equal(["a\n\nb\n"], All(corpus));
        Assert.Throws<ArgumentOutOfRangeException>(() => corpus.Read(1));
        Assert.Throws<ArgumentOutOfRangeException>(() => corpus.Read(-1));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(5)]
    [InlineData((1 << 20) - 1)]
    [InlineData(1 << 20)]
    [InlineData(3_000_000)]
    public void Invalid_utf8_is_refused_with_file_and_byte_offset(int offset)
    {
        var bytes = new byte[3_000_001];
        Array.Fill(bytes, (byte)'a');
        bytes[offset] = 0xC3; // announces a second byte that does not come
        var path = folder.File("bad.txt", bytes);
        var failure = Assert.Throws<CorpusException>(() => new TextCorpus("t", path, "\n"));
        Assert.Contains(path, failure.Message);
        Assert.Contains($"byte offset {offset}.", failure.Message);
    }

    [Fact]
    public void Missing_empty_and_document_free_files_are_refused_by_name()
    {
        foreach (var path in new[] { folder.Missing("absent.txt"), folder.File("empty.txt", ""), folder.File("blank.txt", "\n\n\n") })
            Assert.Contains(path, Assert.Throws<CorpusException>(() => new TextCorpus("t", path, "\n")).Message);
    }

    [Fact]
    public void A_file_that_changes_while_it_is_open_is_reported_and_not_read_on()
    {
        var path = folder.File("t.txt", "one\ntwo");
        using var corpus = new TextCorpus("t", path, "\n");
        Assert.Equal("two", corpus.Read(1).Text);
        File.AppendAllText(path, "\nthree");
        Assert.Contains("has changed", Assert.Throws<CorpusException>(() => corpus.Read(1)).Message);
        using var again = new TextCorpus("t", path, "\n");
        File.WriteAllText(path, "one\nTWO\nthree");
        File.SetLastWriteTimeUtc(path, DateTime.UtcNow.AddSeconds(5)); // clocks of file systems are coarse
        Assert.Contains("has changed", Assert.Throws<CorpusException>(() => again.Read(1)).Message);
    }

    [Fact]
    public void Fingerprints_follow_content_and_separator_but_not_name_or_place()
    {
        using var first = new TextCorpus("a", folder.File("a.txt", "x y"), " ");
        using var moved = new TextCorpus("b", folder.File("b.txt", "x y"), " ");
        using var otherText = new TextCorpus("a", folder.File("c.txt", "x z"), " ");
        using var otherSeparator = new TextCorpus("a", folder.File("d.txt", "x y"), "\n");
        Assert.Equal(first.Fingerprint, moved.Fingerprint);
        Assert.Equal(3, new HashSet<string> { first.Fingerprint, otherText.Fingerprint, otherSeparator.Fingerprint }.Count);
    }

    [Fact]
    public void Threads_that_read_together_get_what_one_gets_alone()
    {
        using var corpus = new TextCorpus("t", folder.File("t.txt", string.Join('\n', Enumerable.Range(0, 2000))), "\n");
        var texts = new string[2000];
        Parallel.For(0, texts.Length, new ParallelOptions { MaxDegreeOfParallelism = 4 }, i => texts[i] = corpus.Read(i).Text);
        Assert.Equal(Enumerable.Range(0, 2000).Select(i => $"{i}"), texts);
    }

    [Fact]
    public void Tiny_shakespeare_is_read_whole()
    {
        var path = SharedData.Require("corpora/tinyshakespeare.txt");
        var text = File.ReadAllText(path);
        using var corpus = new TextCorpus("shakespeare", path, "\n\n");
        Assert.Equal(text.Split("\n\n", StringSplitOptions.RemoveEmptyEntries), All(corpus));
        using var whole = new TextCorpus("shakespeare", path, "");
        Assert.Equal(text, whole.Read(0).Text);
    }
}
