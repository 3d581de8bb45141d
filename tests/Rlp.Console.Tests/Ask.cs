namespace Rlp.Consoles.Tests;

/// <summary>Commands as an operator types them, against a cluster.</summary>
internal static class Ask
{
    /// <summary>Every line as one text: cells are separated by '|', errors begin with '!'.</summary>
    public static async Task<string[]> LinesAsync(this FakeCluster cluster, string command, int atMost = int.MaxValue)
    {
        using var end = new CancellationTokenSource();
        var lines = new List<string>();
        await foreach (var line in PaletteCommand.Parse(command, ConsolePalettes.All).AnswerAsync(cluster, end.Token))
        {
            lines.Add(line switch { TextLine t => t.Text, ColumnsLine c => string.Join('|', c.Names), RowLine r => string.Join('|', r.Cells), ErrorLine e => "!" + e.Message, _ => "?" });
            if (lines.Count == atMost) break;
        }
        return [.. lines];
    }

    /// <summary>The message of the one error that is the answer's end.</summary>
    public static async Task<string> ErrorAsync(this FakeCluster cluster, string command)
    {
        var lines = await cluster.LinesAsync(command);
        Assert.StartsWith("!", lines[^1]);
        Assert.Single(lines, l => l.StartsWith('!'));
        Assert.DoesNotContain(cluster.Done, d => !d.StartsWith("drain", StringComparison.Ordinal));
        return lines[^1][1..];
    }

    public static string Refusal(string command) => Assert.Throws<CommandNotUnderstoodException>(() => PaletteCommand.Parse(command, ConsolePalettes.All)).Message;
}
