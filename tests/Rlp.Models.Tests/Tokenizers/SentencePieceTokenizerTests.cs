using System.Globalization;
using System.Text;
using Rlp.Models.Tokenizers;

namespace Rlp.Models.Tests.Tokenizers;

public sealed class SentencePieceTokenizerTests : IDisposable
{
    private readonly DirectoryInfo folder = Directory.CreateTempSubdirectory("rlp-pieces-");

    // Scores are ranks: "ab" before "bc", "abc" last of all.
    private static readonly (string, float)[] Letters =
    [
        ("<unk>", 0), ("\n<s>\n", 0), ("\n</s>\n", 0), (" ", -5), ("a", -6), ("b", -7), ("c", -8), ("ab", -1), ("bc", -2), (" a", -3),
        ("abc", -4), ("é", -9),
    ];

    private static (string, float)[] WithBytes =>
        [.. Letters.Take(3), .. Enumerable.Range(0, 256).Select(b => ($"<0x{b:X2}>", 0f)), .. Letters.Skip(3)];

    [Fact]
    public void Neighbours_of_the_highest_score_merge_first_and_the_leftmost_among_equals()
    {
        var tokenizer = Open(Letters);
        Assert.Equal([3, 10], tokenizer.Encode("abc")); // ab, then abc; " a" never gets its a
        Assert.Equal([9, 4, 7], tokenizer.Encode("aaab"));
        Assert.Equal([3, 10, 8], tokenizer.Encode("abcbc"));
        Assert.Equal([9], tokenizer.Encode("a"));
        Assert.Equal([], tokenizer.Encode(""));
    }

    [Theory]
    [InlineData("abc")]
    [InlineData(" abc")]
    [InlineData("  a  b ")]
    [InlineData("cab 日本 🙂\n\t\0é")]
    [InlineData("ab<s> abc</s>c")]
    [InlineData("<s>abc")]
    [InlineData("")]
    public void Texts_come_back_from_bytes_and_pieces(string text)
    {
        var tokenizer = Open(WithBytes);
        Assert.Equal(text, tokenizer.Decode(tokenizer.Encode(text)));
    }

    [Fact]
    public void Characters_without_a_piece_are_their_bytes_or_one_unknown()
    {
        Assert.Equal([259, .. Encoding.UTF8.GetBytes("日").Select(b => b + 3), 260], Open(WithBytes).Encode("日a"));
        Assert.Equal([9, 0, 5, 0, 11], Open(Letters).Encode("a日本b\né"));
    }

    [Fact]
    public void The_space_before_the_text_is_left_out_at_the_beginning_and_after_the_begin_token_only()
    {
        var tokenizer = Open(Letters, "<unk>", "</s>");
        Assert.Equal("a", tokenizer.Decode([9]));
        Assert.Equal("<s>a a", tokenizer.Decode([1, 9, 9]));
        Assert.Equal("b a", tokenizer.Decode([5, 9]));
        Assert.Equal(1, tokenizer.BeginOfText);
        Assert.Equal([2], tokenizer.EndOfText);
        Assert.Equal(2, tokenizer.Padding);
    }

    [Fact]
    public void A_thought_marker_is_a_piece_that_the_vocabulary_has()
    {
        var tokenizer = Open(WithBytes, "<0x01>", "<0x02>");
        Assert.Equal((4, 5), (tokenizer.BeginThought, tokenizer.EndThought));
        Assert.Equal("a<0x01>b<0x02>", tokenizer.Decode(tokenizer.Encode("a<0x01>b<0x02>")));
        Assert.Contains("the byte 0x01", Assert.Throws<FormatException>(() => tokenizer.Encode("a\u0001")).Message);

        var message = Assert.Throws<ModelFormatException>(() => Open(Letters, "<think>", "</think>")).Message;
        Assert.Contains(
            "no token '<think>' and no spare one for it; "
            + "set thought.begin and thought.end to tokens that it has, for example '<s>' and '</s>'",
            message);
    }

    [Fact]
    public void A_file_cut_anywhere_inside_a_piece_is_refused_with_the_offset()
    {
        var bytes = Binary(Letters);
        HashSet<int> ends = [4];
        foreach (var (text, _) in Letters) ends.Add(ends.Max() + 8 + Encoding.UTF8.GetByteCount(text));
        Assert.Equal(bytes.Length, ends.Max());
        for (var length = 0; length < bytes.Length; length++)
        {
            if (ends.Contains(length)) continue; // a shorter vocabulary
            var message = Assert.Throws<ModelFormatException>(() => Open(bytes[..length])).Message;
            var offset = int.Parse(
                message[(message.IndexOf("offset ", StringComparison.Ordinal) + 7)..].Split(':')[0], CultureInfo.InvariantCulture);
            Assert.InRange(offset, length < 4 ? 0 : ends.Where(e => e <= length).Max(), length);
        }
    }

    [Theory]
    [InlineData(0, 0, "offset 0: the longest piece has 0 bytes")]
    [InlineData(0, -1, "offset 0: the longest piece has -1 bytes")]
    [InlineData(0, 3, "offset 8: piece 0 has 5 bytes; expected 1 to 3")]
    [InlineData(8, -1, "offset 8: piece 0 has -1 bytes")]
    [InlineData(8, 0, "offset 8: piece 0 has 0 bytes")]
    [InlineData(8, int.MaxValue, "offset 8: piece 0 has 2147483647 bytes")]
    [InlineData(4, 0x7FC00000, "offset 4: piece 0 has the score NaN")]
    [InlineData(12, 0x00FFFFFF, "offset 12: piece 0 is no UTF-8")]
    public void A_number_that_cannot_be_is_refused_with_its_offset(int offset, int value, string named)
    {
        var bytes = Binary(Letters);
        BitConverter.TryWriteBytes(bytes.AsSpan(offset), value);
        Assert.Contains(named, Assert.Throws<ModelFormatException>(() => Open(bytes)).Message);
    }

    [Fact]
    public void Vocabularies_that_cannot_work_are_refused()
    {
        Assert.Contains("the first pieces are '<unk>', '<s>'; expected", Refused([.. Letters.Take(2)]));
        Assert.Contains("none of the 11 pieces is a space", Refused([.. Letters.Where(p => p.Item1 != " ")]));
        Assert.Contains("pieces 4 and 12 are both 'a'", Refused([.. Letters, ("a", -1)]));
        Assert.Contains("the piece <0x41> is missing", Refused([.. WithBytes.Where(p => p.Item1 != "<0x41>")]));

        string Refused((string, float)[] pieces) => Assert.Throws<ModelFormatException>(() => Open(pieces)).Message;
    }

    [Fact]
    public void A_list_of_pieces_is_the_same_tokenizer_as_the_binary_file()
    {
        File.WriteAllText(Path.Combine(folder.FullName, "tokenizer.vocab"), string.Concat(Letters.Select(p =>
            $"{p.Item1.Trim('\n').Replace(' ', '\u2581')}\t{p.Item2.ToString(CultureInfo.InvariantCulture)}\n")));
        var list = TokenizerFolder.Open(folder.FullName, "<s>", "</s>");
        Assert.EndsWith("tokenizer.vocab", list.File);
        Assert.Equal(Open(Letters).Fingerprint, list.Tokenizer.Fingerprint);

        File.WriteAllText(Path.Combine(folder.FullName, "tokenizer.vocab"), "<unk>\t0\n<s> 0\n");
        File.Delete(Path.Combine(folder.FullName, "tokenizer.bin"));
        Assert.Contains(
            "line 2 is '<s> 0'", Assert.Throws<ModelFormatException>(() => TokenizerFolder.Open(folder.FullName, "<s>", "</s>")).Message);
    }

    [Fact]
    public void A_greedy_story_is_encoded_to_the_tokens_that_the_model_wrote()
    {
        var pretrained = PretrainedFolder("stories260K");
        var tokenizer = TokenizerFolder.Open(pretrained, "<s>", "</s>").Tokenizer;
        Assert.Equal(512, tokenizer.VocabularySize);
        var ids = Ids(pretrained);
        var text = tokenizer.Decode(ids[1..]);
        Assert.StartsWith("Once upon a time, there was a little girl named L", text);
        Assert.Equal(ids[1..], tokenizer.Encode(text));
        Assert.Equal(1, ids[0]);
    }

    [Fact]
    public void The_character_vocabulary_is_read_from_either_of_its_files()
    {
        var pretrained = PretrainedFolder("babyllama105");
        var binary = TokenizerFolder.Open(pretrained, "<s>", "</s>");
        Assert.EndsWith("tok105.bin", binary.File);
        Assert.Equal(105, binary.Tokenizer.VocabularySize);
        File.Copy(Path.Combine(pretrained, "tok105.vocab"), Path.Combine(folder.FullName, "tok105.vocab"));
        Assert.Equal(binary.Tokenizer.Fingerprint, TokenizerFolder.Open(folder.FullName, "<s>", "</s>").Tokenizer.Fingerprint);

        var ids = Ids(pretrained);
        var text = binary.Tokenizer.Decode(ids[1..]);
        Assert.StartsWith("Once upon a time, ", text);
        Assert.Equal(ids[1..], binary.Tokenizer.Encode(text));
    }

    [Fact]
    public void Random_texts_are_encoded_as_llama2c_does()
    {
        var pieces = SentencePieces.ReadBinary(Path.Combine(PretrainedFolder("stories260K"), "tok512.bin")).Pieces;
        var tokenizer = Open([.. pieces]);
        var random = new Random(1);
        string[] words = [.. pieces.Skip(259).Select(p => p.Text), "日", "🙂", "\n", "é"];
        for (var run = 0; run < 300; run++)
        {
            var text = string.Concat(Enumerable.Range(0, random.Next(60)).Select(_ => words[random.Next(words.Length)]));
            Assert.Equal(ByDefinition(text, pieces), tokenizer.Encode(text));
        }
    }

    /// <summary>encode() of llama2.c's run.c, without begin and end tokens.</summary>
    private static List<int> ByDefinition(string text, IReadOnlyList<(string Text, float Score)> pieces)
    {
        var tokens = new List<int>();
        foreach (var rune in (text.Length > 0 ? $" {text}" : "").EnumerateRunes())
        {
            var id = Find(rune.ToString());
            if (id >= 0) tokens.Add(id);
            else tokens.AddRange(Encoding.UTF8.GetBytes(rune.ToString()).Select(b => b + 3));
        }
        while (true)
        {
            var (score, merged, at) = (-1e10f, -1, -1);
            for (var i = 0; i + 1 < tokens.Count; i++)
            {
                var id = Find(pieces[tokens[i]].Text + pieces[tokens[i + 1]].Text);
                if (id >= 0 && pieces[id].Score > score) (score, merged, at) = (pieces[id].Score, id, i);
            }
            if (at < 0) return tokens;
            tokens[at] = merged;
            tokens.RemoveAt(at + 1);
        }

        int Find(string piece)
        {
            for (var id = 0; id < pieces.Count; id++)
                if (pieces[id].Text == piece) return id;
            return -1;
        }
    }

    public void Dispose() => folder.Delete(recursive: true);

    private static int[] Ids(string pretrained) =>
        [.. File.ReadAllText(Path.Combine(pretrained, "ids.txt")).Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries)
            .Select(t => int.Parse(t, CultureInfo.InvariantCulture))];

    private static string PretrainedFolder(string name)
    {
        for (var parent = new DirectoryInfo(AppContext.BaseDirectory); parent is not null; parent = parent.Parent)
        {
            var candidate = Path.Combine(parent.FullName, "shared", "oracles", "pretrained", name);
            if (Directory.Exists(candidate)) return candidate;
        }
        Assert.Skip($"shared/oracles/pretrained/{name} is not beside this checkout");
        return "";
    }

    private static byte[] Binary((string Text, float Score)[] pieces)
    {
        using var bytes = new MemoryStream();
        using var writer = new BinaryWriter(bytes);
        writer.Write(pieces.Max(p => Encoding.UTF8.GetByteCount(p.Text)));
        foreach (var (text, score) in pieces)
        {
            writer.Write(score);
            writer.Write(Encoding.UTF8.GetByteCount(text));
            writer.Write(Encoding.UTF8.GetBytes(text));
        }
        return bytes.ToArray();
    }

    private ITokenizer Open((string, float)[] pieces, string begin = "<s>", string end = "</s>") => Open(Binary(pieces), begin, end);

    private ITokenizer Open(byte[] binary, string begin = "<s>", string end = "</s>")
    {
        File.WriteAllBytes(Path.Combine(folder.FullName, "tokenizer.bin"), binary);
        return TokenizerFolder.Open(folder.FullName, begin, end).Tokenizer;
    }
}
