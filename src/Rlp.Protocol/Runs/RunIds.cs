namespace Rlp.Protocol.Runs;

/// <summary>What a run may be called: its id is also the name of its folder and stands in addresses.</summary>
public static class RunIds
{
    public const string Expected = "up to 128 letters, digits, '-', '_' and '.', not beginning with '.'";

    public static bool IsValid(string runId) =>
        runId.Length is > 0 and <= 128 && runId.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_' or '.') && !runId.StartsWith('.');
}
