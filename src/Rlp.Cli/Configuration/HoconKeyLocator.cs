using System.Text;

namespace Rlp.Cli.Configuration;

/// <summary>
/// Finds each key of a HOCON text and the line where it is set. Akka's parser keeps no lines and passes over what it cannot read (an open
/// brace, an open string, a missing value), so this scanner reads the structure and refuses what is broken; the values stay as written, for
/// Akka to parse. `include "FILE"` is followed here, because a line number is only worth something together with its file.
/// </summary>
public sealed class HoconKeyLocator
{
    /// <summary>Characters that HOCON reserves: unquoted text cannot hold them.</summary>
    private const string Reserved = "$\"{}[]:=,#`^?!@*&\\";

    private const int DeepestInclude = 8;
    private const int DeepestNesting = 64;

    private readonly string text;
    private readonly string file;
    private readonly Func<string, string?>? readInclude;
    private readonly int includeDepth;
    private readonly List<HoconAssignment> assignments;
    private readonly List<ConfigurationProblem> problems;
    private int at;
    private int line = 1;
    private int nesting;

    private HoconKeyLocator(
        string text, string file, Func<string, string?>? readInclude, int includeDepth,
        List<HoconAssignment> assignments, List<ConfigurationProblem> problems)
    {
        this.text = text.ReplaceLineEndings("\n");
        this.file = file;
        this.readInclude = readInclude;
        this.includeDepth = includeDepth;
        this.assignments = assignments;
        this.problems = problems;
    }

    /// <summary>The assignments of <paramref name="text"/> in the order in which they stand; later ones override earlier ones.</summary>
    /// <param name="text">HOCON.</param>
    /// <param name="file">Name of the text in problems.</param>
    /// <param name="problems">Receives what is wrong with the syntax.</param>
    /// <param name="readInclude">The text of an included file by its path; null where there is no such file.</param>
    public static IReadOnlyList<HoconAssignment> Locate(
        string text, string file, List<ConfigurationProblem> problems, Func<string, string?>? readInclude = null)
    {
        var assignments = new List<HoconAssignment>();
        new HoconKeyLocator(text, file, readInclude, 0, assignments, problems).ReadDocument([]);
        return assignments;
    }

    private bool Ended => at >= text.Length;

    private char Current => Ended ? '\0' : text[at];

    private void ReadDocument(IReadOnlyList<string> prefix)
    {
        SkipBlank();
        var braced = Current == '{';
        var opened = line;
        if (braced) Take();
        ReadMembers(prefix, braced ? opened : null);
        SkipBlank();
        if (braced && !Ended) Refuse(line, "", "text after the closing '}' of the file");
    }

    /// <summary>Reads members up to the closing brace, which is taken, or to the end of the text.</summary>
    private void ReadMembers(IReadOnlyList<string> prefix, int? opened)
    {
        while (true)
        {
            SkipBlank();
            if (Ended)
            {
                if (opened is { } start) Refuse(start, string.Join('.', prefix), "'{' is never closed");
                return;
            }
            if (Current == '}')
            {
                if (opened is not null)
                {
                    Take();
                    return;
                }
                Refuse(line, "", "'}' closes nothing");
                Take();
                continue;
            }
            if (Current == ',')
            {
                Take();
                continue;
            }
            ReadMember(prefix);
        }
    }

    private void ReadMember(IReadOnlyList<string> prefix)
    {
        var start = line;
        if (ReadKey(start) is not { } key)
        {
            SkipLine();
            return;
        }
        SkipSpaces();
        if (key is ["include"] && Current == '"')
        {
            Include(prefix, start);
            return;
        }

        IReadOnlyList<string> path = [.. prefix, .. key];
        var name = string.Join('.', path);
        if (Current == '{')
        {
            ReadSection(path, start);
            return;
        }
        var appends = Current == '+' && at + 1 < text.Length && text[at + 1] == '=';
        if (!appends && Current is not ('=' or ':'))
        {
            Refuse(start, name, $"expected '=' or '{{' after '{name}'");
            SkipLine();
            return;
        }
        at += appends ? 2 : 1;
        SkipSpaces();
        ReadValue(path, start, appends);
    }

    private List<string>? ReadKey(int start)
    {
        var segments = new List<string>();
        while (true)
        {
            if (Current == '"')
            {
                var from = at;
                if (!SkipString()) return null;
                segments.Add(text[(from + 1)..(at - 1)]);
            }
            else
            {
                var from = at;
                while (InUnquotedKey()) at++;
                if (at == from)
                {
                    Refuse(start, "", $"expected a key, found '{(Ended ? "end of file" : Current)}'");
                    return null;
                }
                segments.Add(text[from..at]);
            }
            if (Current != '.') return segments;
            at++;
        }
    }

    private void ReadSection(IReadOnlyList<string> path, int start)
    {
        var opened = line;
        Take();
        if (++nesting > DeepestNesting)
        {
            Refuse(opened, "", $"sections are nested deeper than {DeepestNesting}");
            at = text.Length;
            return;
        }
        var before = assignments.Count;
        ReadMembers(path, opened);
        nesting--;
        if (assignments.Count == before) assignments.Add(new HoconAssignment(path, null, false, file, start));
    }

    /// <summary>
    /// A value is a row of pieces: text, strings, lists, ${references}, sections. A section among them follows on references to sections
    /// (`${pretrain.optimizer} { learning-rate = 1e-4 }`), so each piece before it becomes an assignment of its own.
    /// </summary>
    private void ReadValue(IReadOnlyList<string> path, int start, bool appends)
    {
        var name = string.Join('.', path);
        var value = new StringBuilder();
        var sections = 0;
        while (!Ended && Current is not ('\n' or ',' or '}') && !AtComment())
        {
            if (Current == '{')
            {
                Flush();
                ReadSection(path, line);
                sections++;
            }
            else if (!ReadPiece(name, value))
            {
                while (!Ended && Current is not ('\n' or ',' or '}')) at++;
                return;
            }
        }
        if (value.ToString().Trim().Length > 0) Flush();
        else if (sections == 0) Refuse(start, name, $"'{name}' has no value");

        void Flush()
        {
            var written = value.ToString().Trim();
            value.Clear();
            if (written.Length > 0) assignments.Add(new HoconAssignment(path, written, appends, file, start));
        }
    }

    private bool ReadPiece(string name, StringBuilder value)
    {
        var from = at;
        var opened = line;
        switch (Current)
        {
            case '"':
                if (!SkipString()) return false;
                break;
            case '[':
                return ReadList(name, value);
            case '$' when at + 1 < text.Length && text[at + 1] == '{':
                while (!Ended && Current is not ('}' or '\n')) at++;
                if (Current != '}')
                {
                    Refuse(opened, name, $"'${{' of '{name}' is never closed");
                    return false;
                }
                at++;
                break;
            case var other when Reserved.Contains(other):
                Refuse(opened, name, $"'{other}' in the value of '{name}' must stand inside quotes");
                return false;
            default:
                at++;
                break;
        }
        value.Append(text, from, at - from);
        return true;
    }

    /// <summary>Copies a list, nested lists and objects included, without its comments.</summary>
    private bool ReadList(string name, StringBuilder value)
    {
        var opened = line;
        var closers = new Stack<char>();
        do
        {
            var from = at;
            if (Ended)
            {
                Refuse(opened, name, $"'[' of '{name}' is never closed");
                return false;
            }
            if (AtComment())
            {
                while (!Ended && Current != '\n') at++;
                continue;
            }
            switch (Current)
            {
                case '"':
                    if (!SkipString()) return false;
                    break;
                case '[' or '{':
                    if (closers.Count == DeepestNesting)
                    {
                        Refuse(line, name, $"the list of '{name}' is nested deeper than {DeepestNesting}");
                        return false;
                    }
                    closers.Push(Take() == '[' ? ']' : '}');
                    break;
                case ']' or '}':
                    if (Take() != closers.Pop())
                    {
                        Refuse(line, name, $"the brackets of '{name}' do not match");
                        SkipLine();
                        return false;
                    }
                    break;
                default:
                    Take();
                    break;
            }
            value.Append(text, from, at - from);
        } while (closers.Count > 0);
        return true;
    }

    /// <summary>Moves behind the string that begins here; false (and a problem) where it has no end.</summary>
    private bool SkipString()
    {
        var opened = line;
        if (string.CompareOrdinal(text, at, "\"\"\"", 0, 3) == 0)
        {
            var end = text.IndexOf("\"\"\"", at + 3, StringComparison.Ordinal);
            if (end < 0)
            {
                Refuse(opened, "", "'\"\"\"' is never closed");
                at = text.Length;
                return false;
            }
            line += text.AsSpan(at, end - at).Count('\n');
            at = end + 3;
            return true;
        }
        at++;
        while (!Ended && Current is not ('"' or '\n')) at += Current == '\\' && at + 1 < text.Length && text[at + 1] != '\n' ? 2 : 1;
        if (Current != '"')
        {
            Refuse(opened, "", "a string is not closed before the end of its line");
            return false;
        }
        at++;
        return true;
    }

    private void Include(IReadOnlyList<string> prefix, int start)
    {
        var from = at;
        if (!SkipString()) return;
        var name = text[(from + 1)..(at - 1)];
        var included = Path.Combine(Path.GetDirectoryName(file) ?? "", name);
        if (includeDepth == DeepestInclude)
            Refuse(start, "", $"include \"{name}\": files include each other more than {DeepestInclude} deep");
        else if (readInclude?.Invoke(included) is not { } content)
            Refuse(start, "", $"include \"{name}\": there is no file {included}");
        else
            new HoconKeyLocator(content, included, readInclude, includeDepth + 1, assignments, problems).ReadDocument(prefix);
    }

    private void SkipBlank()
    {
        while (!Ended && (char.IsWhiteSpace(Current) || AtComment()))
            if (AtComment()) SkipLine();
            else Take();
    }

    private void SkipSpaces()
    {
        while (!Ended && Current != '\n' && char.IsWhiteSpace(Current)) at++;
    }

    private void SkipLine()
    {
        while (!Ended && Current != '\n') at++;
    }

    private bool InUnquotedKey() =>
        !Ended && !char.IsWhiteSpace(Current) && Current is not ('.' or '+') && !Reserved.Contains(Current) && !AtComment();

    private bool AtComment() => Current == '#' || (Current == '/' && at + 1 < text.Length && text[at + 1] == '/');

    private char Take()
    {
        var taken = text[at++];
        if (taken == '\n') line++;
        return taken;
    }

    private void Refuse(int where, string key, string message) => problems.Add(new ConfigurationProblem(file, where, key, message));
}
