using System.Globalization;
using System.Text.Json;
using Rlp.Models.Tests;

namespace Rlp.Cli.Tests.Commands;

[Collection(RlpCommand.Collection)]
public sealed class ModelTokenizeTests
{
    [Fact]
    public async Task Any_JSON_string_comes_back_as_it_was_and_only_what_JSON_demands_is_escaped()
    {
        using var folder = Bytes();
        await File.WriteAllTextAsync(
            folder["in.jsonl"],
            "\uFEFF{\"text\": \"Z\u00fcrich \\ud83d\\ude00 \u4e2d <think>\"}\r\n{\"n\": 1, \"text\": \"\\\"\\\\\\/\\n\\u0001\\u2028\"}\n{\"text\": \"\"}\n{\"text\": \"a\\ud800b\\udc00\\ud83d\\ude00\\n\"}",
            TestContext.Current.CancellationToken);
        await RlpCommand.Succeed("model", "tokenize", "--tokenizer", folder.Path, "--in", folder["in.jsonl"], "--out", folder["out.jsonl"]);
        var lines = await File.ReadAllLinesAsync(folder["out.jsonl"], TestContext.Current.CancellationToken);
        Assert.EndsWith("\"decoded\": \"Z\u00fcrich \U0001F600 \u4e2d <think>\"}", lines[0]);
        string[] expected = ["Z\u00fcrich \U0001F600 \u4e2d <think>", "\"\\/\n\u0001\u2028", "", "a\uFFFDb\uFFFD\U0001F600\n"];
        Assert.Equal(expected, lines.Select(l => JsonDocument.Parse(l).RootElement.GetProperty("decoded").GetString()!));
        // The bytes' ids begin behind <unk>, <s> and </s>; the space has a piece behind them, and the one before a text is SentencePiece's.
        var bytes = System.Text.Encoding.UTF8.GetBytes(" " + expected[0]).Select(b => b == ' ' ? 259 : b + 3);
        Assert.Equal(bytes, JsonDocument.Parse(lines[0]).RootElement.GetProperty("ids").EnumerateArray().Select(i => i.GetInt32()));
        Assert.Equal("{\"ids\": [], \"decoded\": \"\"}", lines[2]);
    }

    [Theory]
    [InlineData("{\"text\": 5}", "its 'text' is Number")]
    [InlineData("{\"txt\": \"a\"}", "it has no key 'text'")]
    [InlineData("[1]", "it is Array")]
    [InlineData("{\"text\": \"a", "it is not JSON")]
    [InlineData("", "it is empty")]
    public async Task A_line_that_is_no_text_is_named_with_its_file_and_nothing_is_written(string line, string message)
    {
        using var folder = Bytes();
        await File.WriteAllTextAsync(folder["in.jsonl"], "{\"text\": \"fine\"}\n" + line + "\n", TestContext.Current.CancellationToken);
        var (code, _, error) = await RlpCommand.Run("model", "tokenize", "--tokenizer", folder.Path, "--in", folder["in.jsonl"], "--out", folder["out.jsonl"]);
        Assert.Equal(ExitCodes.BadData, code);
        Assert.Contains($"{folder["in.jsonl"]}, line 2: {message}", error);
        Assert.False(File.Exists(folder["out.jsonl"]));
    }

    [Fact]
    public async Task A_line_that_is_not_UTF8_is_named()
    {
        using var folder = Bytes();
        await File.WriteAllBytesAsync(folder["in.jsonl"], [.. "{\"text\": \""u8, 0xC3, .. "\"}"u8], TestContext.Current.CancellationToken);
        var (code, _, error) = await RlpCommand.Run("model", "tokenize", "--tokenizer", folder.Path, "--in", folder["in.jsonl"], "--out", folder["out.jsonl"]);
        Assert.Equal(ExitCodes.BadData, code);
        Assert.Contains("line 1: it is not UTF-8", error);
    }

    /// <summary>A vocabulary of the 256 bytes and the space, without spare tokens and without thought markers.</summary>
    private static TemporaryFolder Bytes()
    {
        var folder = new TemporaryFolder();
        string[] pieces = ["<unk>", "<s>", "</s>", .. Enumerable.Range(0, 256).Select(b => string.Create(CultureInfo.InvariantCulture, $"<0x{b:X2}>")), "\u2581"];
        File.WriteAllLines(folder["tokenizer.vocab"], pieces.Select(p => $"{p}\t0"));
        return folder;
    }
}
