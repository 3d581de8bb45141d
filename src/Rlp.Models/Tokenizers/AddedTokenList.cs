using System.Text.Json;

namespace Rlp.Models.Tokenizers;

/// <summary>The added tokens of a vocabulary, numbered as the reference library numbers them.</summary>
/// <param name="source">The file, for messages.</param>
/// <param name="entries">The vocabulary without added tokens.</param>
internal sealed class AddedTokenList(string source, IReadOnlyDictionary<string, int> entries)
{
    public List<AddedToken> Tokens { get; } = [];

    /// <summary>Adds a token; one of the same text takes the place of an earlier one.</summary>
    /// <exception cref="ModelFormatException">Its id is not the one that the reference library would give it.</exception>
    public void Add(AddedToken token)
    {
        if (token.Content.Length == 0) return;
        var earlier = Tokens.FindIndex(t => t.Content == token.Content);
        var expected = entries.TryGetValue(token.Content, out var entry) ? entry
            : earlier >= 0 ? Tokens[earlier].Id
            : Math.Max(entries.Count, Tokens.Select(t => t.Id + 1).DefaultIfEmpty(0).Max());
        if (token.Id != expected)
            throw new ModelFormatException(
                $"{source}: added token '{token.Content}' has the id {token.Id}, but its place gives {expected}; "
                + "added tokens must be numbered in order after the vocabulary");
        if (earlier >= 0) Tokens[earlier] = token;
        else Tokens.Add(token);
    }

    public static AddedToken Read(JsonElement token, int id, string source)
    {
        foreach (var property in token.EnumerateObject())
            if (property.Name is not ("id" or "content" or "single_word" or "lstrip" or "rstrip" or "normalized" or "special" or "__type"))
                throw new ModelFormatException(
                    $"{source}: the key '{property.Name}' of an added token is not supported; "
                    + "supported: id, content, single_word, lstrip, rstrip, normalized, special");
        return new AddedToken(
            id, token.GetProperty("content").GetString()!, Flag("single_word"), Flag("lstrip"), Flag("rstrip"), Flag("normalized"),
            Flag("special"));

        bool Flag(string key) =>
            token.TryGetProperty(key, out var value)
                ? value.GetBoolean()
                : throw new ModelFormatException($"{source}: added token {token.GetRawText()} has no '{key}'");
    }
}
