namespace Rlp.Models.Tokenizers;

/// <summary>What a tokenizer.json says, checked and in one form, whatever its notation.</summary>
internal sealed record BytePairVocabulary
{
    /// <summary>The file, for messages.</summary>
    public required string Source { get; init; }

    /// <summary>The entry of each id in the alphabet of <see cref="ByteAlphabet"/>; null where no entry has the id.</summary>
    public required string?[] Entries { get; init; }

    /// <summary>Two entries and the one they merge to, in order of rank.</summary>
    public required IReadOnlyList<(int Left, int Right, int Merged)> Merges { get; init; }

    /// <summary>Whether a word that is an entry is that token even if no merges lead to it.</summary>
    public required bool IgnoreMerges { get; init; }

    /// <summary>Whether the text is brought into Unicode form C.</summary>
    public required bool Composes { get; init; }

    public required IReadOnlyList<SplitStep> Splits { get; init; }

    /// <summary>Whether a space is put before every piece that does not begin with one.</summary>
    public required bool AddsPrefixSpace { get; init; }

    /// <summary>
    /// The expression that cuts the pieces into words after the prefix space is added; null where only <see cref="Splits"/> cut.
    /// </summary>
    public required SplitStep? Words { get; init; }

    public required IReadOnlyList<AddedToken> AddedTokens { get; init; }

    /// <summary>The token that the post-processor puts before a text; null where it puts none.</summary>
    public required int? BeginOfText { get; init; }
}

/// <summary>One step of a pre-tokenizer.</summary>
/// <param name="Pattern">The expression as it stands in the file.</param>
/// <param name="KeepsMatches">False where matches are removed.</param>
/// <param name="KeepsRest">False where what lies between matches is removed.</param>
internal sealed record SplitStep(string Pattern, SplitPattern Compiled, bool KeepsMatches = true, bool KeepsRest = true);
