using System.Buffers.Binary;
using System.Globalization;
using System.Text;
using System.Text.Unicode;

namespace Rlp.Models.Tokenizers;

/// <summary>
/// A SentencePiece vocabulary: pieces in order of their ids, with scores. Spaces are spaces (not U+2581), control pieces bare
/// ("&lt;s&gt;").
/// </summary>
/// <param name="Source">The file, for messages.</param>
internal sealed record SentencePieces(string Source, IReadOnlyList<(string Text, float Score)> Pieces)
{
    private const int LongestPiece = 1 << 16;

    /// <summary>
    /// Reads llama2.c's format, little-endian: int32 longest piece in bytes; then for each piece until the end of the file float32 score,
    /// int32 length, bytes.
    /// </summary>
    /// <exception cref="ModelFormatException">Damaged; the message has the offset.</exception>
    public static SentencePieces ReadBinary(string path)
    {
        var file = File.ReadAllBytes(path);
        if (file.Length < 4) throw Damaged(0, $"{file.Length} bytes; expected the length of the longest piece");
        var longest = BinaryPrimitives.ReadInt32LittleEndian(file);
        if (longest is < 1 or > LongestPiece) throw Damaged(0, $"the longest piece has {longest} bytes; expected 1 to {LongestPiece}");
        var pieces = new List<(string, float)>();
        for (var at = 4; at < file.Length;)
        {
            if (file.Length - at < 8)
                throw Damaged(at, $"{file.Length - at} bytes are left; expected score and length of piece {pieces.Count}");
            var score = BinaryPrimitives.ReadSingleLittleEndian(file.AsSpan(at));
            if (!float.IsFinite(score))
                throw Damaged(
                    at, $"piece {pieces.Count} has the score {score.ToString(CultureInfo.InvariantCulture)}; expected a finite number");
            var length = BinaryPrimitives.ReadInt32LittleEndian(file.AsSpan(at + 4));
            if (length < 1 || length > longest)
                throw Damaged(at + 4, $"piece {pieces.Count} has {length} bytes; expected 1 to {longest}, the longest");
            if (length > file.Length - at - 8)
                throw Damaged(at + 8, $"piece {pieces.Count} has {length} bytes, but {file.Length - at - 8} are left");
            var bytes = file.AsSpan(at + 8, length);
            if (!Utf8.IsValid(bytes)) throw Damaged(at + 8, $"piece {pieces.Count} is no UTF-8 ({Convert.ToHexString(bytes)})");
            pieces.Add((Bare(Encoding.UTF8.GetString(bytes)), score));
            at += 8 + length;
        }
        return Checked(new SentencePieces(path, pieces));

        ModelFormatException Damaged(int offset, string what) =>
            new($"{path}: at offset {offset}: {what}; truncated, damaged or not a llama2.c tokenizer");
    }

    /// <summary>Reads the list that SentencePiece writes beside a model: a piece, a tab and a score per line.</summary>
    /// <exception cref="ModelFormatException">Damaged; the message has the line.</exception>
    public static SentencePieces ReadList(string path)
    {
        var pieces = new List<(string, float)>();
        foreach (var line in File.ReadAllText(path).Split('\n'))
        {
            if (line.Length == 0 && pieces.Count > 0) continue; // after the last newline
            var tab = line.LastIndexOf('\t');
            var number = line.AsSpan(tab + 1).TrimEnd('\r');
            if (tab < 1 || !float.TryParse(number, NumberStyles.Float, CultureInfo.InvariantCulture, out var score) || !float.IsFinite(score))
                throw new ModelFormatException($"{path}: line {pieces.Count + 1} is '{line}'; expected a piece, a tab and a score");
            pieces.Add((line[..tab].Replace('\u2581', ' '), score));
        }
        return Checked(new SentencePieces(path, pieces));
    }

    /// <summary>llama2.c writes the control pieces between newlines.</summary>
    private static string Bare(string piece) => piece is "\n<s>\n" or "\n</s>\n" ? piece.Trim('\n') : piece;

    private static SentencePieces Checked(SentencePieces vocabulary)
    {
        string[] control = [.. vocabulary.Pieces.Take(3).Select(p => p.Text)];
        var found = string.Join(", ", control.Select(c => $"'{c}'"));
        if (!control.SequenceEqual(["<unk>", "<s>", "</s>"]))
            throw new ModelFormatException(
                $"{vocabulary.Source}: the first pieces are {found}; expected '<unk>', '<s>' and '</s>'");
        if (vocabulary.Pieces.All(p => p.Text != " "))
            throw new ModelFormatException($"{vocabulary.Source}: none of the {vocabulary.Pieces.Count} pieces is a space");
        var ids = new Dictionary<string, int>();
        for (var id = 0; id < vocabulary.Pieces.Count; id++)
            if (!ids.TryAdd(vocabulary.Pieces[id].Text, id))
                throw new ModelFormatException(
                    $"{vocabulary.Source}: pieces {ids[vocabulary.Pieces[id].Text]} and {id} are both '{vocabulary.Pieces[id].Text}'");
        return vocabulary;
    }
}
