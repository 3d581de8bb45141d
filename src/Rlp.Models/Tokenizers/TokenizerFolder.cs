namespace Rlp.Models.Tokenizers;

/// <summary>The tokenizer of a model folder.</summary>
/// <param name="File">The file that holds the vocabulary.</param>
public sealed record TokenizerFolder(ITokenizer Tokenizer, string File)
{
    /// <summary>
    /// Opens the first of: tokenizer.json (byte-level BPE, with tokenizer_config.json, special_tokens_map.json and generation_config.json
    /// where they are there); tokenizer.bin or tok*.bin (llama2.c); tokenizer.vocab or tok*.vocab (SentencePiece's list of pieces and
    /// scores).
    /// </summary>
    /// <remarks>
    /// A thought marker whose text is a token of the vocabulary is that token. Otherwise it takes a spare token of the vocabulary (reserved
    /// by its name, the highest number first), which from then on has the marker's text. A vocabulary with neither is refused: name tokens
    /// that it has.
    /// </remarks>
    /// <param name="beginMarker">Text of the token that opens a thought.</param>
    /// <param name="endMarker">Text of the token that closes one.</param>
    /// <exception cref="ModelFormatException">
    /// No tokenizer is there, or it is damaged or asks for something that is not implemented.
    /// </exception>
    public static TokenizerFolder Open(string directory, string beginMarker, string endMarker) => Read(directory, beginMarker, endMarker);

    /// <summary>
    /// The vocabulary as it is, for text alone: no token stands for a thought marker (<see cref="ITokenizer.BeginThought"/> and
    /// <see cref="ITokenizer.EndThought"/> are -1), so that none is renamed and every vocabulary will do.
    /// </summary>
    /// <exception cref="ModelFormatException">As above.</exception>
    public static TokenizerFolder Open(string directory) => Read(directory, null, null);

    private static TokenizerFolder Read(string directory, string? beginMarker, string? endMarker)
    {
        if (!Directory.Exists(directory))
            throw new ModelFormatException($"{directory}: the folder does not exist; expected one that holds a tokenizer");
        var json = Path.Combine(directory, "tokenizer.json");
        if (System.IO.File.Exists(json))
            return new TokenizerFolder(
                new BytePairTokenizer(TokenizerJson.Read(json), SpecialTokenSettings.Read(directory), beginMarker, endMarker), json);
        if (Only(directory, "bin") is { } bin)
            return new TokenizerFolder(new SentencePieceTokenizer(SentencePieces.ReadBinary(bin), beginMarker, endMarker), bin);
        if (Only(directory, "vocab") is { } list)
            return new TokenizerFolder(new SentencePieceTokenizer(SentencePieces.ReadList(list), beginMarker, endMarker), list);
        string[] files = [.. Directory.EnumerateFiles(directory).Select(f => Path.GetFileName(f)).Order(StringComparer.Ordinal).Take(20)];
        throw new ModelFormatException(
            $"{directory}: no tokenizer; looked for tokenizer.json, tokenizer.bin, tok*.bin, tokenizer.vocab and tok*.vocab, "
            + $"found {(files.Length == 0 ? "no file" : string.Join(", ", files))}");
    }

    /// <summary>Whether <see cref="Open(string)"/> would find something to open, sound or not.</summary>
    public static bool Holds(string directory) =>
        ((string[])["tokenizer.json", "tok*.bin", "tok*.vocab"]).Any(pattern => Directory.EnumerateFiles(directory, pattern).Any());

    private static string? Only(string directory, string extension)
    {
        var named = Path.Combine(directory, $"tokenizer.{extension}");
        if (System.IO.File.Exists(named)) return named;
        string[] files = [.. Directory.EnumerateFiles(directory, $"tok*.{extension}").Order(StringComparer.Ordinal)];
        return files.Length < 2 ? files.FirstOrDefault()
            : throw new ModelFormatException(
                $"{directory}: {string.Join(" and ", files.Select(f => Path.GetFileName(f)))} could both be the tokenizer; "
                + $"name the right one tokenizer.{extension}");
    }
}
