using Rlp.Consoles;

namespace Rlp.Cli.Consoles;

/// <summary>
/// Reads a line from a terminal, with the keys that shells have: arrows, Home, End, Backspace, Delete, Ctrl-A E U K W L, history by up and down,
/// completion by Tab, Ctrl-C for an empty line, Ctrl-D on one for the end. It knows keys and a screen, not the terminal.
/// </summary>
/// <param name="width">Columns of the screen, 0 where nobody knows; a longer line is shown in part.</param>
/// <param name="complete">What can stand at the end of the text before the cursor.</param>
internal sealed class LineEditor(Func<ConsoleKeyInfo> readKey, TextWriter screen, Func<int> width, LineHistory history, Func<string, Completion> complete)
{
    private string text = "";
    private int cursor;
    private int at;

    /// <summary>Before a line was recalled from the history.</summary>
    private string unfinished = "";

    /// <summary>The line; null at the end of the input.</summary>
    public string? Read(string prompt)
    {
        (text, cursor, at, unfinished) = ("", 0, history.Lines.Count, "");
        while (true)
        {
            Draw(prompt);
            var key = readKey();
            var control = key.Modifiers.HasFlag(ConsoleModifiers.Control);
            switch (key.Key)
            {
                case ConsoleKey.Enter:
                    screen.Write("\r\n");
                    screen.Flush();
                    history.Add(text);
                    return text;
                case ConsoleKey.D when control && text.Length == 0:
                    screen.Write("\r\n");
                    screen.Flush();
                    return null;
                case ConsoleKey.C when control:
                    screen.Write("^C\r\n");
                    (text, cursor, at) = ("", 0, history.Lines.Count);
                    break;
                case ConsoleKey.Tab:
                    Complete();
                    break;
                case ConsoleKey.UpArrow:
                    Recall(at - 1);
                    break;
                case ConsoleKey.DownArrow:
                    Recall(at + 1);
                    break;
                case ConsoleKey.L when control:
                    screen.Write("\e[2J\e[H");
                    break;
                default:
                    Edit(key, control);
                    break;
            }
        }
    }

    private void Edit(ConsoleKeyInfo key, bool control)
    {
        switch (key.Key)
        {
            case ConsoleKey.LeftArrow:
                cursor = Math.Max(0, cursor - 1);
                break;
            case ConsoleKey.RightArrow:
                cursor = Math.Min(text.Length, cursor + 1);
                break;
            case ConsoleKey.Home:
            case ConsoleKey.A when control:
                cursor = 0;
                break;
            case ConsoleKey.End:
            case ConsoleKey.E when control:
                cursor = text.Length;
                break;
            case ConsoleKey.Backspace:
                Replace(Math.Max(0, cursor - 1), cursor, "");
                break;
            case ConsoleKey.Delete:
            case ConsoleKey.D when control:
                Replace(cursor, Math.Min(text.Length, cursor + 1), "");
                break;
            case ConsoleKey.U when control:
                Replace(0, cursor, "");
                break;
            case ConsoleKey.K when control:
                Replace(cursor, text.Length, "");
                break;
            case ConsoleKey.W when control:
                var start = text[..cursor].TrimEnd().LastIndexOf(' ') + 1;
                Replace(start, cursor, "");
                break;
            default:
                if (!char.IsControl(key.KeyChar)) Replace(cursor, cursor, key.KeyChar.ToString());
                break;
        }
    }

    private void Replace(int from, int to, string with)
    {
        text = text[..from] + with + text[to..];
        cursor = from + with.Length;
    }

    private void Recall(int wanted)
    {
        if (wanted < 0 || wanted > history.Lines.Count) return;
        if (at == history.Lines.Count) unfinished = text;
        at = wanted;
        text = at == history.Lines.Count ? unfinished : history.Lines[at];
        cursor = text.Length;
    }

    /// <summary>As far as the candidates agree; where that is no further, they are listed.</summary>
    private void Complete()
    {
        var (start, words) = complete(text[..cursor]);
        if (words.Count == 0) return;
        var common = words.Aggregate((left, right) => left[..left.Zip(right).TakeWhile(pair => pair.Item1 == pair.Item2).Count()]);
        if (words.Count > 1 && common.Length <= cursor - start)
            screen.Write($"\r\n\e[K{string.Join("  ", words)}\r\n");
        else
            Replace(start, cursor, words.Count == 1 ? common + " " : common);
    }

    private void Draw(string prompt)
    {
        var room = Math.Max(8, (width() is > 0 and var columns ? columns : 80) - prompt.Length - 1);
        var from = Math.Max(0, cursor - room + 1);
        screen.Write($"\r\e[K{prompt}{text[from..Math.Min(text.Length, from + room)]}\r\e[{prompt.Length + cursor - from + 1}G");
        screen.Flush();
    }
}
