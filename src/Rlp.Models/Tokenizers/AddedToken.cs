namespace Rlp.Models.Tokenizers;

/// <summary>A token that is found in the text before anything else is done to it; the terms are those of a tokenizer.json.</summary>
/// <param name="SingleWord">Only where no word character touches it.</param>
/// <param name="LeftStrip">Takes the white space before it.</param>
/// <param name="RightStrip">Takes the white space after it.</param>
/// <param name="Normalized">Is looked for in the normalized text.</param>
/// <param name="Special">A control token, no text.</param>
internal sealed record AddedToken(int Id, string Content, bool SingleWord, bool LeftStrip, bool RightStrip, bool Normalized, bool Special)
{
    /// <summary>A token that is one wherever its text stands.</summary>
    public static AddedToken Marker(int id, string content) =>
        new(id, content, SingleWord: false, LeftStrip: false, RightStrip: false, Normalized: false, Special: true);
}
