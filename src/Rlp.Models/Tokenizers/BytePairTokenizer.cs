using System.Text;

namespace Rlp.Models.Tokenizers;

/// <summary>
/// Byte-level byte-pair encoding (GPT-2, Llama 3, Qwen and their kin): added tokens are cut out, the rest is normalized and split into
/// words, and the bytes of each word are merged by rank. Gives the ids of Hugging Face's tokenizers library (0.22, Rust) to the last one,
/// without adding special tokens.
/// </summary>
internal sealed class BytePairTokenizer : ITokenizer
{
    private readonly BytePairVocabulary vocabulary;
    private readonly AddedTokenFinder? inText;
    private readonly AddedTokenFinder? inNormalizedText;
    private readonly MergeTable merges;
    private readonly int[] byteTokens = new int[256]; // -1: the vocabulary lacks the byte
    private readonly Dictionary<string, int>.AlternateLookup<ReadOnlySpan<char>>? wholeWords;
    private readonly WordCache cache = new();
    private readonly byte[]?[] bytes; // null: no token has the id

    /// <exception cref="ModelFormatException">A special token or a thought marker that the vocabulary lacks.</exception>
    public BytePairTokenizer(BytePairVocabulary vocabulary, SpecialTokenSettings settings, string? beginMarker, string? endMarker)
    {
        this.vocabulary = vocabulary;
        var ids = new Dictionary<string, int>();
        var words = new Dictionary<string, int>();
        var added = new AddedTokenList(vocabulary.Source, ids);
        var byId = new SortedDictionary<int, byte[]>();
        for (var id = 0; id < vocabulary.Entries.Length; id++)
        {
            if (vocabulary.Entries[id] is not { } entry) continue;
            ids.Add(entry, id);
            byId.Add(id, ByteAlphabet.Read(entry, out var inAlphabet));
            if (vocabulary.IgnoreMerges && inAlphabet && System.Text.Unicode.Utf8.IsValid(byId[id]))
                words.TryAdd(Encoding.UTF8.GetString(byId[id]), id);
        }
        foreach (var token in vocabulary.AddedTokens.Concat(settings.AddedTokens)) added.Add(token);
        foreach (var token in added.Tokens) byId[token.Id] = ByteAlphabet.Read(token.Content, out _);

        var names = added.Tokens.Select(t => (t.Content, t.Id)).ToList();
        var markers = beginMarker is null || endMarker is null ? ThoughtMarkerTokens.None : ThoughtMarkerTokens.Resolve(
            beginMarker, endMarker, Find, names, vocabulary.Source,
            example: names.Count < 2 ? "two frequent words" : $"'{names[^2].Content}' and '{names[^1].Content}'");
        (BeginThought, EndThought) = (markers.Begin, markers.End);
        List<AddedToken> found = [.. added.Tokens];
        foreach (var (text, id) in new[] { (beginMarker, BeginThought), (endMarker, EndThought) })
        {
            if (text is null || found.Exists(t => t.Content == text)) continue;
            found.Add(AddedToken.Marker(id, text));
            byId[id] = Encoding.UTF8.GetBytes(text);
        }
        bytes = new byte[byId.Keys.Max() + 1][];
        foreach (var (id, value) in byId) bytes[id] = value;

        var normalized = found.Where(t => t.Normalized).Select(t => (Normalize(t.Content).ToString(), t)).ToList();
        var raw = found.Where(t => !t.Normalized).Select(t => (t.Content, t)).ToList();
        if (normalized.Count > 0) inNormalizedText = new AddedTokenFinder(normalized, vocabulary.Source);
        if (raw.Count > 0) inText = new AddedTokenFinder(raw, vocabulary.Source);
        if (vocabulary.IgnoreMerges) wholeWords = words.GetAlternateLookup<ReadOnlySpan<char>>();
        for (var value = 0; value < 256; value++) byteTokens[value] = ids.GetValueOrDefault($"{ByteAlphabet.Character((byte)value)}", -1);
        merges = new MergeTable(vocabulary.Merges.Count);
        for (var rank = 0; rank < vocabulary.Merges.Count; rank++)
            merges.Set(vocabulary.Merges[rank].Left, vocabulary.Merges[rank].Right, rank, vocabulary.Merges[rank].Merged);

        BeginOfText = vocabulary.BeginOfText ?? (settings.AddsBeginOfText ? Special("bos_token", settings.BeginOfText) : null);
        foreach (var id in settings.EndIds) _ = Bytes(id, "eos_token_id of generation_config.json");
        EndOfText = settings.EndIds.Count > 0 ? settings.EndIds : Special("eos_token", settings.EndOfText) is { } end ? [end] : [];
        Padding = Special("pad_token", settings.Padding) ?? (EndOfText.Count > 0 ? EndOfText[0] : EndThought);
        Fingerprint = Hash(found);

        int? Find(string text) => added.Tokens.Find(t => t.Content == text)?.Id
            ?? (ids.TryGetValue(ByteAlphabet.Write(Encoding.UTF8.GetBytes(text)), out var id) ? id : null);

        int? Special(string key, string? content) => content is null ? null
            : Find(content) ?? throw new ModelFormatException(
                $"{vocabulary.Source}: the {key} '{content}' of the files beside it is not in the vocabulary");
    }

    public int VocabularySize => bytes.Length;

    public int Padding { get; }

    public int BeginThought { get; }

    public int EndThought { get; }

    public int? BeginOfText { get; }

    public IReadOnlyList<int> EndOfText { get; }

    public string Fingerprint { get; }

    public bool Holds(int token) => token >= 0 && token < bytes.Length && bytes[token] is not null;

    public int[] Encode(string text)
    {
        text = WellFormed(text);
        var tokens = new List<int>((text.Length / 3) + 8);
        if (inText is null)
        {
            EncodeNormalized(Normalize(text), tokens);
        }
        else
        {
            foreach (var part in inText.Find(text))
            {
                if (part.Token is { } token) tokens.Add(token.Id);
                else EncodeNormalized(Normalize(text.AsSpan(part.Begin, part.End - part.Begin)), tokens);
            }
        }
        return [.. tokens];
    }

    public ReadOnlySpan<byte> Bytes(int token, int previous) => Bytes(token, nameof(token));

    public string Decode(ReadOnlySpan<int> tokens) => StreamingDecoder.Decode(this, tokens);

    private byte[] Bytes(int token, string what) =>
        Holds(token)
            ? bytes[token]!
            : throw new ArgumentOutOfRangeException(
                what, token, $"{vocabulary.Source} has no token of this id; ids are 0 to {bytes.Length - 1}");

    private ReadOnlySpan<char> Normalize(ReadOnlySpan<char> text) =>
        vocabulary.Composes ? CanonicalComposition.Normalize(text.ToString()) : text;

    private void EncodeNormalized(ReadOnlySpan<char> text, List<int> tokens)
    {
        if (inNormalizedText is null)
        {
            EncodePieces(text, 0, tokens);
            return;
        }
        foreach (var part in inNormalizedText.Find(text))
        {
            if (part.Token is { } token) tokens.Add(token.Id);
            else EncodePieces(text[part.Begin..part.End], 0, tokens);
        }
    }

    /// <summary>Cuts a piece by one step of the pre-tokenizer after the other.</summary>
    private void EncodePieces(ReadOnlySpan<char> piece, int step, List<int> tokens)
    {
        if (step < vocabulary.Splits.Count)
        {
            Cut(piece, vocabulary.Splits[step], step + 1, tokens);
            return;
        }
        if (step == vocabulary.Splits.Count)
        {
            if (vocabulary.AddsPrefixSpace && piece[0] != ' ') piece = $" {piece}";
            if (vocabulary.Words is { } words)
            {
                Cut(piece, words, step + 1, tokens);
                return;
            }
        }
        EncodeWord(piece, tokens);
    }

    private void Cut(ReadOnlySpan<char> piece, SplitStep step, int next, List<int> tokens)
    {
        var pieces = new NextStep(this, step, next, tokens);
        step.Compiled.Split(piece, ref pieces);
    }

    private readonly ref struct NextStep(BytePairTokenizer tokenizer, SplitStep step, int next, List<int> tokens) : SplitPattern.IPieces
    {
        public void Add(ReadOnlySpan<char> piece, bool isMatch)
        {
            if (isMatch ? step.KeepsMatches : step.KeepsRest) tokenizer.EncodePieces(piece, next, tokens);
        }
    }

    private void EncodeWord(ReadOnlySpan<char> word, List<int> tokens)
    {
        if (word.Length > WordCache.LongestWord)
        {
            tokens.AddRange(Merge(word));
            return;
        }
        if (cache.Find(word) is not { } known) cache.Add(word, known = Merge(word));
        tokens.AddRange(known);
    }

    private int[] Merge(ReadOnlySpan<char> word)
    {
        if (wholeWords is { } whole && whole.TryGetValue(word, out var single)) return [single];
        var utf8 = new byte[Encoding.UTF8.GetByteCount(word)];
        Encoding.UTF8.GetBytes(word, utf8);
        var symbols = new int[utf8.Length];
        for (var i = 0; i < utf8.Length; i++)
        {
            if ((symbols[i] = byteTokens[utf8[i]]) < 0)
                throw new FormatException($"'{word}' holds the byte 0x{utf8[i]:X2}, for which {vocabulary.Source} has no token");
        }
        var count = merges.Merge(symbols);
        return symbols[..count];
    }

    /// <summary>Halves of surrogate pairs become U+FFFD, as they do in UTF-8.</summary>
    private static string WellFormed(string text)
    {
        var first = text.AsSpan().IndexOfAnyInRange('\uD800', '\uDFFF');
        if (first < 0) return text;
        for (var i = first; i < text.Length; i++)
        {
            if (!char.IsSurrogate(text[i])) continue;
            if (i + 1 < text.Length && char.IsSurrogatePair(text[i], text[i + 1])) i++;
            else return string.Concat(text.EnumerateRunes()); // replaces what is no character
        }
        return text;
    }

    private string Hash(IEnumerable<AddedToken> added)
    {
        var hash = new FingerprintHash().Add("byte-pair").Add(vocabulary.Entries.Length);
        foreach (var entry in vocabulary.Entries) hash.Add(entry);
        hash.Add(vocabulary.Merges.Count);
        foreach (var (left, right, merged) in vocabulary.Merges) hash.Add(left).Add(right).Add(merged);
        hash.Add(vocabulary.IgnoreMerges ? 1 : 0).Add(vocabulary.Composes ? 1 : 0).Add(vocabulary.AddsPrefixSpace ? 1 : 0);
        foreach (var step in vocabulary.Splits) hash.Add(step.Pattern).Add(step.KeepsMatches ? 1 : 0).Add(step.KeepsRest ? 1 : 0);
        hash.Add(vocabulary.Words?.Pattern);
        foreach (var token in added)
            hash.Add(token.Id).Add(token.Content)
                .Add(token.SingleWord ? 1 : 0).Add(token.LeftStrip ? 1 : 0).Add(token.RightStrip ? 1 : 0).Add(token.Normalized ? 1 : 0);
        return hash.Add(BeginThought).Add(EndThought).Finish();
    }
}
