using System.Text;

namespace Rlp.Models.Tokenizers;

/// <summary>
/// SentencePiece's BPE as llama2.c runs it: a space is put before the text, every character is a piece or its UTF-8 bytes, and of all
/// neighbours that form a piece the one of highest score is merged, the leftmost among equals. Vocabularies of single characters are the
/// case without merges. Without byte pieces an unknown run of characters becomes one &lt;unk&gt;, as SentencePiece has it.
/// </summary>
internal sealed class SentencePieceTokenizer : ITokenizer
{
    private const int Unknown = 0;
    private const int Begin = 1;
    private const int End = 2;

    private readonly SentencePieces vocabulary;
    private readonly Dictionary<string, int> pieces = [];
    private readonly byte[][] bytes;
    private readonly int[]? byteTokens;
    private readonly MergeTable merges;
    private readonly AddedTokenFinder? markers;

    /// <exception cref="ModelFormatException">A thought marker that is no piece, or only some of the 256 byte pieces.</exception>
    public SentencePieceTokenizer(SentencePieces vocabulary, string? beginMarker, string? endMarker)
    {
        this.vocabulary = vocabulary;
        var all = vocabulary.Pieces.Select((p, id) => (p.Text, id)).ToDictionary(p => p.Text, p => p.id);
        var byteIds = Enumerable.Range(0, 256).Select(value => all.GetValueOrDefault($"<0x{value:X2}>", -1)).ToArray();
        if (byteIds.Contains(-1) && byteIds.Any(id => id >= 0))
            throw new ModelFormatException(
                $"{vocabulary.Source}: the piece <0x{Array.IndexOf(byteIds, -1):X2}> is missing; expected all 256 byte pieces or none");
        byteTokens = byteIds[0] < 0 ? null : byteIds;

        bytes = [.. vocabulary.Pieces.Select(p => Encoding.UTF8.GetBytes(p.Text))];
        for (var value = 0; value < byteTokens?.Length; value++) bytes[byteTokens[value]] = [(byte)value];
        foreach (var (text, id) in all)
            if (id > End && byteTokens?.Contains(id) != true) pieces.Add(text, id);
        merges = MergesByScore();

        (BeginThought, EndThought) = ThoughtMarkerTokens.None;
        if (beginMarker is not null && endMarker is not null)
        {
            (BeginThought, EndThought) = ThoughtMarkerTokens.Resolve(
                beginMarker, endMarker, text =>
                    all.TryGetValue(text, out var id) ? id : null, all.Select(p => (p.Key, p.Value)), vocabulary.Source, "'<s>' and '</s>'");
            markers = new AddedTokenFinder(
                [(beginMarker, AddedToken.Marker(BeginThought, beginMarker)), (endMarker, AddedToken.Marker(EndThought, endMarker))],
                vocabulary.Source);
            bytes[BeginThought] = Encoding.UTF8.GetBytes(beginMarker);
            bytes[EndThought] = Encoding.UTF8.GetBytes(endMarker);
        }

        var hash = new FingerprintHash().Add("sentence-piece").Add(vocabulary.Pieces.Count);
        foreach (var (text, score) in vocabulary.Pieces) hash.Add(text).Add(BitConverter.SingleToInt32Bits(score + 0f)); // -0 is 0
        Fingerprint = hash.Add(beginMarker).Add(BeginThought).Add(endMarker).Add(EndThought).Finish();
    }

    public int VocabularySize => bytes.Length;

    public int Padding => End;

    public int BeginThought { get; }

    public int EndThought { get; }

    public int? BeginOfText => Begin;

    public IReadOnlyList<int> EndOfText { get; } = [End];

    public string Fingerprint { get; }

    /// <exception cref="FormatException">
    /// A byte of the text is the token of a thought marker (thought.begin = "&lt;0x01&gt;", say).
    /// </exception>
    public int[] Encode(string text)
    {
        var tokens = new List<int>(text.Length + 1);
        foreach (var part in markers?.Find(text) ?? (text.Length == 0 ? [] : [new AddedTokenFinder.Part(0, text.Length, null)]))
        {
            if (part.Token is { } token)
            {
                tokens.Add(token.Id);
                continue;
            }
            var symbols = Symbols(part.Begin == 0 ? $" {text[..part.End]}" : text[part.Begin..part.End]);
            tokens.AddRange(symbols.AsSpan(0, merges.Merge(symbols)));
        }
        return [.. tokens];
    }

    /// <summary>
    /// The space that <see cref="Encode"/> puts before a text is left out again, at the beginning and after the begin token.
    /// </summary>
    public ReadOnlySpan<byte> Bytes(int token, int previous)
    {
        if (token < 0 || token >= bytes.Length)
            throw new ArgumentOutOfRangeException(nameof(token), token, $"{vocabulary.Source} has the ids 0 to {bytes.Length - 1}");
        var value = bytes[token].AsSpan();
        var begins = previous < 0 || (previous == Begin && previous != BeginThought && previous != EndThought);
        return begins && value[0] == (byte)' ' && token != BeginThought && token != EndThought ? value[1..] : value;
    }

    public string Decode(ReadOnlySpan<int> tokens) => StreamingDecoder.Decode(this, tokens);

    private int[] Symbols(string text)
    {
        var symbols = new List<int>(text.Length);
        Span<byte> utf8 = stackalloc byte[4];
        foreach (var rune in text.EnumerateRunes())
        {
            if (pieces.TryGetValue(rune.ToString(), out var id))
            {
                symbols.Add(id);
            }
            else if (byteTokens is null)
            {
                if (symbols.Count == 0 || symbols[^1] != Unknown) symbols.Add(Unknown);
            }
            else
            {
                foreach (var value in utf8[..rune.EncodeToUtf8(utf8)])
                {
                    var token = byteTokens[value];
                    if (token == BeginThought || token == EndThought)
                        throw new FormatException(
                            $"the text holds the byte 0x{value:X2} (character U+{rune.Value:X4}), whose token is a thought marker; "
                            + "set thought.begin and thought.end to other tokens");
                    symbols.Add(token);
                }
            }
        }
        return [.. symbols];
    }

    /// <summary>Every way to put a piece together from two others; equal scores have equal ranks.</summary>
    private MergeTable MergesByScore()
    {
        var ranks = pieces.Values.Select(id => vocabulary.Pieces[id].Score).Distinct().OrderDescending()
            .Select((score, rank) => (score, rank)).ToDictionary(s => s.score, s => s.rank);
        var table = new MergeTable(pieces.Count);
        foreach (var (text, id) in pieces)
            for (var cut = 1; cut < text.Length; cut++)
                if (pieces.TryGetValue(text[..cut], out var left) && pieces.TryGetValue(text[cut..], out var right))
                    table.Set(left, right, ranks[vocabulary.Pieces[id].Score], id);
        return table;
    }
}
