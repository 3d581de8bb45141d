namespace Rlp.Cli.Configuration;

/// <summary>
/// One `key = value` of a HOCON text: the key's full path, the value as written (comments and outer whitespace removed) and its place.
/// </summary>
/// <param name="Path">The segments of the dotted key, those of the enclosing sections included.</param>
/// <param name="Value">The value as written; null for a section that was opened and left empty.</param>
/// <param name="Appends">Written with `+=`: the value is one more element of the list.</param>
/// <param name="File">The file as the user named it, or "--set".</param>
/// <param name="Line">The line of the key, from 1.</param>
public sealed record HoconAssignment(IReadOnlyList<string> Path, string? Value, bool Appends, string File, int Line)
{
    public string Key => string.Join('.', Path);
}
