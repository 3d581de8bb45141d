using System.IO.Compression;
using System.Text;
using System.Text.Json;

namespace Rlp.Corpora.Tests;

public sealed class JsonlCorpusTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    private static List<string> All(ICorpus corpus) => [.. Enumerable.Range(0, (int)corpus.Count).Select(i => corpus.Read(i).Text)];

    [Fact]
    public void Lines_give_their_field_and_blank_lines_nothing()
    {
        var path = folder.File("j.jsonl", "\n{\"text\":\"a\\nb\"}\r\n  \t\r\n{\"id\":1,\"text\":\"é😀\"}");
        using var corpus = new JsonlCorpus("j", path, "text");
        Assert.Equal(["a\nb", "é😀"], All(corpus));
        Assert.Throws<ArgumentOutOfRangeException>(() => corpus.Read(2));
    }

    [Fact]
    public void A_compressed_file_reads_like_the_plain_one()
    {
        var lines = string.Join('\n', Enumerable.Range(0, 300).Select(i => JsonSerializer.Serialize(new { text = $"document {i}" })));
        using var plain = new JsonlCorpus("j", folder.File("j.jsonl", lines), "text");
        // A gzip file may have several members.
        var bytes = Encoding.UTF8.GetBytes(lines);
        byte[] members = [.. TemporaryFolder.Gzip(bytes[..999]), .. TemporaryFolder.Gzip(bytes[999..])];
        using var packed = new JsonlCorpus("j", folder.File("j.jsonl.gz", members), "text");
        Assert.Equal(All(plain), All(packed));
        Assert.Equal(plain.Fingerprint, packed.Fingerprint);
    }

    [Fact]
    public void Lines_that_end_at_the_end_of_a_read_buffer_are_lines_like_others()
    {
        for (var shift = -2; shift < 6; shift++)
        {
            var first = new string('y', (1 << 20) - "{\"text\":\"\"}\n".Length - shift);
            using var corpus = new JsonlCorpus("j", folder.File("j.jsonl", $"{{\"text\":\"{first}\"}}\n{{\"text\":\"b\"}}\n"), "text");
            Assert.Equal([first, "b"], All(corpus));
        }
    }

    [Fact]
    public void A_missing_key_is_refused_with_file_line_expected_and_found_keys()
    {
        var path = folder.File("j.jsonl", "{\"text\":\"a\"}\n\n{\"question\":\"q\",\"answer\":\"a\"}\n");
        var message = Assert.Throws<CorpusException>(() => new JsonlCorpus("j", path, "text")).Message;
        Assert.Contains($"{path}, line 3: expected the key 'text', found the keys 'question', 'answer'", message);
    }

    [Theory]
    [InlineData("{\"text\":\"a\"")]
    [InlineData("[\"text\"]")]
    [InlineData("{\"text\":7}")]
    [InlineData("{\"text\":null}")]
    [InlineData("{}")]
    [InlineData("{\"text\":\"\\ud800\"}")]
    [InlineData("plain words")]
    public void A_line_that_holds_no_text_is_refused_with_file_line_and_key(string line)
    {
        var path = folder.File("j.jsonl", "{\"text\":\"a\"}\n" + line);
        var message = Assert.Throws<CorpusException>(() => new JsonlCorpus("j", path, "text")).Message;
        Assert.StartsWith($"{path}, line 2: ", message);
        Assert.Contains("'text'", message);
    }

    [Fact]
    public void Missing_empty_blank_corrupt_and_truncated_files_are_refused_by_name()
    {
        var lines = string.Concat(Enumerable.Range(0, 5000).Select(i => $"{{\"text\":\"{i}\"}}\n"));
        var packed = TemporaryFolder.Gzip(Encoding.UTF8.GetBytes(lines));
        string[] paths =
        [
            folder.Missing("absent.jsonl"), folder.Missing("absent.jsonl.gz"), folder.File("empty.jsonl", ""),
            folder.File("blank.jsonl", "\n \n"), folder.File("not.jsonl.gz", "plain words"), folder.File("empty.jsonl.gz", ""),
            folder.File("cut.jsonl.gz", packed[..(packed.Length / 2)]),
        ];
        foreach (var path in paths) Assert.Contains(path, Assert.Throws<CorpusException>(() => new JsonlCorpus("j", path, "text")).Message);
    }

    [Fact]
    public void Gsm8k_is_read_as_an_ordinary_json_reader_reads_it()
    {
        var path = SharedData.Require("corpora/gsm8k-train.jsonl.gz");
        using var reader = new StreamReader(new GZipStream(File.OpenRead(path), CompressionMode.Decompress));
        var expected = new List<string>();
        while (reader.ReadLine() is { } line) expected.Add(JsonDocument.Parse(line).RootElement.GetProperty("question").GetString()!);
        using var corpus = new JsonlCorpus("gsm8k", path, "question");
        Assert.Equal(7473, corpus.Count);
        Assert.Equal(expected, All(corpus));
        var failure = Assert.Throws<CorpusException>(() => new JsonlCorpus("gsm8k", path, "text"));
        Assert.Contains("found the keys 'question', 'answer'", failure.Message);
    }
}
