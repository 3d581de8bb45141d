using Rlp.Models.Tokenizers;

namespace Rlp.Training;

/// <summary>A whole document as the model expects it.</summary>
public static class DocumentTokens
{
    /// <summary>
    /// The tokens of a document, with the token before them that the model was trained to find there: where tokenizer_config.json says
    /// add_bos_token, and always for llama2.c's vocabularies. Without it such models predict what they never learnt to.
    /// </summary>
    /// <remarks>Where a context is cut from the left, that token goes with what is cut.</remarks>
    /// <exception cref="FormatException">As <see cref="ITokenizer.Encode"/>.</exception>
    public static int[] EncodeDocument(this ITokenizer tokenizer, string text) =>
        tokenizer.BeginOfText is { } begin ? [begin, .. tokenizer.Encode(text)] : tokenizer.Encode(text);
}
