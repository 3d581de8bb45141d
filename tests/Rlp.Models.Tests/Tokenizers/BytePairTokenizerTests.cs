using System.Text;
using System.Text.Json.Nodes;

namespace Rlp.Models.Tests.Tokenizers;

/// <summary>On small vocabularies whose ids below 256 are the bytes of the text.</summary>
public sealed class BytePairTokenizerTests
{
    private const int He = 256, Ll = 257, Hell = 258, Hello = 259, SpaceHello = 260;

    private static TokenizerFixture Hellos(bool asPairs = false, JsonNode? preTokenizer = null) =>
        new TokenizerFixture { MergesAsPairs = asPairs, PreTokenizer = preTokenizer ?? TokenizerFixture.ByteLevel() }
            .Merge("h", "e").Merge("l", "l").Merge("he", "ll").Merge("hell", "o").Merge(" ", "hello");

    private static int[] Utf8(string text) => [.. Encoding.UTF8.GetBytes(text).Select(b => (int)b)];

    [Fact]
    public void Merges_apply_by_rank_within_words()
    {
        using var fixture = Hellos().Thinking();
        var tokenizer = fixture.Open();
        Assert.Equal([Hello, SpaceHello, ' ', ' ', Hell, 'x', '!', 'e', Ll], tokenizer.Encode("hello hello  hellx!ell")[..9]);
        Assert.Equal([He, 'l'], tokenizer.Encode("hel"));
        Assert.Equal(["l", "ll", "lll"], new[] { "l", "ll", "lll" }.Select(t => tokenizer.Decode(tokenizer.Encode(t))));
        Assert.Equal([Ll, 'l'], tokenizer.Encode("lll")); // the leftmost of two equal merges
    }

    [Fact]
    public void Both_notations_of_merges_are_the_same_tokenizer()
    {
        using var texts = Hellos().Thinking();
        using var pairs = Hellos(asPairs: true).Thinking();
        Assert.Contains("\"merges\":[[", File.ReadAllText(Path.Combine(pairs.Write(), "tokenizer.json")));
        Assert.Equal(texts.Open().Fingerprint, pairs.Open().Fingerprint);
        Assert.Equal([Hello, SpaceHello], pairs.Open().Encode("hello hello"));
    }

    [Fact]
    public void A_word_that_is_an_entry_is_one_token_only_where_merges_are_ignored()
    {
        using var strict = Hellos().Entry("xyz").Thinking();
        Assert.Equal(Utf8("xyz"), strict.Open().Encode("xyz"));
        using var ignoring = Hellos().Entry("xyz").Thinking();
        ignoring.Model["ignore_merges"] = true;
        Assert.Equal([261], ignoring.Open().Encode("xyz"));
        Assert.Equal([' ', 'x', 'y', 'z'], ignoring.Open().Encode(" xyz")); // the word is " xyz"
        Assert.NotEqual(strict.Open().Fingerprint, ignoring.Open().Fingerprint);
    }

    [Fact]
    public void Special_and_other_added_tokens_are_found_in_the_text_and_kept_when_decoding()
    {
        using var fixture = Hellos().Added("<|end|>").Thinking().Added("<|end|>s", special: false);
        var tokenizer = fixture.Open();
        var ids = tokenizer.Encode("hello<|end|>hello<think><|end|>s</think");
        Assert.Equal([Hello, 261, Hello, 262, 264, .. Utf8("</think")], ids); // the longest where two begin
        Assert.Equal("hello<|end|>hello<think><|end|>s</think", tokenizer.Decode(ids));
    }

    [Fact]
    public void Flags_of_added_tokens_decide_what_they_take()
    {
        using var fixture = Hellos().Thinking()
            .Added("<l>", leftStrip: true).Added("<r>", rightStrip: true).Added("word", singleWord: true);
        var tokenizer = fixture.Open();
        Assert.Equal(['a', 263, ' ', 'b'], tokenizer.Encode("a \t\n<l> b"));
        Assert.Equal(['a', ' ', 264, 'b'], tokenizer.Encode("a <r>  b"));
        Assert.Equal([264, 263], tokenizer.Encode("<r>  <l>")); // the spaces are taken once
        Assert.Equal(['a', ' ', 265, '.'], tokenizer.Encode("a word."));
        const string inside = "swords words sword ꙰word"; // a combining mark belongs to a word
        Assert.Equal(Utf8(inside), tokenizer.Encode(inside));
    }

    [Fact]
    public void A_token_that_could_begin_in_space_that_another_takes_is_refused()
    {
        using var fixture = new TokenizerFixture().Thinking().Added("<r>", rightStrip: true).Added("  ");
        Assert.Contains(
            "added token '<r>' (rstrip) takes the white space after it, where '  ' could begin",
            Assert.Throws<ModelFormatException>(() => fixture.Open()).Message);
    }

    [Fact]
    public void Only_normalized_added_tokens_are_found_in_the_normalized_text()
    {
        using var fixture = new TokenizerFixture { Normalizer = new JsonObject { ["type"] = "NFC" } }.Thinking()
            .Added("né", normalized: true).Added("nö", normalized: false);
        var tokenizer = fixture.Open();
        Assert.Equal([258, 258, 259, .. Utf8("nö")], tokenizer.Encode("néne\u0301nöno\u0308"));
    }

    [Fact]
    public void Texts_are_composed_only_where_the_file_says_so()
    {
        using var nfc = new TokenizerFixture { Normalizer = new JsonObject { ["type"] = "NFC" } }.Thinking();
        using var raw = new TokenizerFixture().Thinking();
        Assert.Equal(Utf8("Å 각 é"), nfc.Open().Encode("A\u030a \u1100\u1161\u11a8 e\u0301"));
        Assert.Equal(Utf8("A\u030a"), raw.Open().Encode("A\u030a"));
        Assert.NotEqual(nfc.Open().Fingerprint, raw.Open().Fingerprint);
    }

    [Fact]
    public void Letters_and_digits_outside_the_basic_plane_are_letters_and_digits()
    {
        using var letters = new TokenizerFixture
        {
            PreTokenizer = TokenizerFixture.Sequence(
                TokenizerFixture.Split(@"[^\p{L}\p{N}]+|(?<=\p{L})\p{N}+", "Removed"), TokenizerFixture.ByteLevel(useRegex: false)),
        }.Thinking();
        Assert.Equal(Utf8("𝔘𝔫i𠀀𐐀𝟡"), letters.Open().Encode("𝔘𝔫i🙂𠀀1𐐀𝟘- 𝟡"));
    }

    [Fact]
    public void Digits_split_one_by_one_or_in_runs()
    {
        using var one = Numbers(true);
        using var runs = Numbers(false);
        Assert.Equal(['a', '1', '2', 'b'], one.Open().Encode("a12b"));
        Assert.Equal(['a', 256, 'b'], runs.Open().Encode("a12b"));

        static TokenizerFixture Numbers(bool individual) => new TokenizerFixture
        {
            PreTokenizer = TokenizerFixture.Sequence(
                new JsonObject { ["type"] = "Digits", ["individual_digits"] = individual }, TokenizerFixture.ByteLevel()),
        }.Merge("1", "2").Merge("a", "1").Thinking();
    }

    [Theory]
    [InlineData("Removed", false, "ab")]
    [InlineData("Removed", true, "xx")]
    [InlineData("Isolated", false, "axxb")]
    public void Removed_matches_vanish(string behavior, bool invert, string kept)
    {
        using var fixture = new TokenizerFixture
        {
            PreTokenizer = TokenizerFixture.Sequence(TokenizerFixture.Split("x+", behavior, invert), TokenizerFixture.ByteLevel()),
        }.Thinking();
        Assert.Equal(Utf8(kept), fixture.Open().Encode("axxb"));
    }

    [Fact]
    public void A_prefix_space_goes_before_every_piece_that_has_none()
    {
        using var fixture = Hellos(preTokenizer: TokenizerFixture.ByteLevel(addPrefixSpace: true)).Thinking();
        Assert.Equal([SpaceHello, 261, SpaceHello, 262, SpaceHello], fixture.Open().Encode("hello<think>hello</think> hello"));
    }

    [Fact]
    public void A_word_longer_than_any_shortcut_merges_by_the_same_rules()
    {
        using var fixture = Hellos().Thinking();
        var tokenizer = fixture.Open();
        var text = string.Concat(Enumerable.Repeat("hellohelllo", 300));
        Assert.Equal(Enumerable.Repeat(new[] { Hello, Hell, 'l', 'o' }, 300).SelectMany(i => i), tokenizer.Encode(text));
    }

    [Fact]
    public void Halves_of_surrogate_pairs_are_replaced()
    {
        using var fixture = new TokenizerFixture().Thinking();
        Assert.Equal(Utf8("a\uFFFDb🙂\uFFFD"), fixture.Open().Encode("a\uD83Db🙂\uDE42"));
    }

    [Fact]
    public void A_character_whose_bytes_the_vocabulary_lacks_is_named()
    {
        using var fixture = Hellos().WithoutByte(0x9F).Thinking();
        Assert.Contains("'🙂' holds the byte 0x9F", Assert.Throws<FormatException>(() => fixture.Open().Encode("hello🙂")).Message);
    }

    [Fact]
    public void Many_different_words_do_not_disturb_each_other()
    {
        using var fixture = Hellos().Thinking();
        var tokenizer = fixture.Open();
        string[] words = [.. Enumerable.Range(0, 100_000).Select(i => $" w{i:x}")]; // more than the cache holds
        foreach (var _ in new[] { 1, 2 })
            foreach (var word in words) Assert.Equal(word, tokenizer.Decode(tokenizer.Encode(word)));
    }

    [Fact]
    public void Any_thread_may_encode()
    {
        using var fixture = Hellos().Thinking();
        var tokenizer = fixture.Open();
        Parallel.For(0, 20_000, i => Assert.Equal($"hello w{i % 997}", tokenizer.Decode(tokenizer.Encode($"hello w{i % 997}"))));
    }

    [Fact]
    public void Ids_without_a_token_are_refused()
    {
        using var fixture = Hellos().Thinking();
        var tokenizer = fixture.Open();
        Assert.Equal(263, tokenizer.VocabularySize);
        foreach (var id in new[] { -1, 263, int.MaxValue })
        {
            Assert.False(tokenizer.Holds(id));
            Assert.Contains("ids are 0 to 262", Assert.Throws<ArgumentOutOfRangeException>(() => tokenizer.Decode([id])).Message);
        }
        Assert.True(tokenizer.Holds(262));
    }

    [Fact]
    public void A_hole_in_the_vocabulary_holds_no_token()
    {
        using var fixture = new TokenizerFixture().Thinking();
        var vocabulary = new JsonObject { ["a"] = 0, ["<think>"] = 5, ["</think>"] = 7 };
        fixture.Root["model"] = new JsonObject { ["type"] = "BPE", ["vocab"] = vocabulary, ["merges"] = new JsonArray() };
        fixture.Root["added_tokens"] = new JsonArray();
        var tokenizer = fixture.Open();
        Assert.Equal([0, 5, 7], Enumerable.Range(0, tokenizer.VocabularySize).Where(tokenizer.Holds));
        Assert.Equal([0, 5, 0, 7], tokenizer.Encode("a<think>a</think>")); // plain entries that are markers are found, too
    }
}
