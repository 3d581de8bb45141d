using System.CommandLine;
using System.Text;
using Rlp.Models.Tokenizers;
using Rlp.Training.Metrics;

namespace Rlp.Cli.Commands;

/// <summary>rlp model tokenize: the ids of texts, to be compared with another program.</summary>
internal static class ModelTokenizeCommand
{
    public static Command Create()
    {
        var folder = new Option<string>("--tokenizer") { Description = "Folder that holds the tokenizer's files.", Required = true };
        var source = new Option<string>("--in") { Description = "JSON Lines of {\"text\": ...}; other keys are ignored.", Required = true };
        var target = ModelCommand.Out("File to write: a line {\"ids\": [...], \"decoded\": ...} for each line read.");
        var command = new Command("tokenize", "Token ids of texts, and the texts of those ids.\n\n"
            + "No special token is added; those in a text are recognised, and decoded includes them. The vocabulary is used as it is: thought\n"
            + "markers that are no tokens of it are ordinary text. Half a surrogate pair (\"\\ud800\") is no character and counts as U+FFFD.\n"
            + "The output escapes what JSON demands and nothing else.\n\n"
            + "Example:\n"
            + "  rlp model tokenize --tokenizer models/Qwen3-1.7B --in texts.jsonl --out ids.jsonl") { folder, source, target };
        command.SetAction((arguments, _) => FailureReport.Guard(() =>
        {
            var tokenizer = TokenizerFolder.Open(arguments.GetValue(folder)!).Tokenizer;
            var texts = new JsonTextLines(arguments.GetValue(source)!);
            var file = arguments.GetValue(target)!;
            var lines = 0;
            using var progress = new ProgressLine();
            AtomicFile.Write(file, stream =>
            {
                using var output = new StreamWriter(stream, new UTF8Encoding(encoderShouldEmitUTF8Identifier: false), leaveOpen: true) { NewLine = "\n" };
                foreach (var text in texts.Read())
                {
                    var ids = tokenizer.Encode(text);
                    output.WriteLine($"{{\"ids\": [{string.Join(", ", ids)}], \"decoded\": {Quoted(tokenizer.Decode(ids))}}}");
                    lines++;
                    progress.Show(() => $"{lines} lines");
                }
            });
            progress.Clear();
            Console.WriteLine($"{file}: {lines} lines");
            return Task.FromResult(ExitCodes.Done);
        }));
        return command;
    }

    /// <summary>RFC 8259, section 7. Of the library's encoders none leaves all characters above U+FFFF as they are.</summary>
    private static string Quoted(string text)
    {
        var json = new StringBuilder(text.Length + 2).Append('"');
        foreach (var c in text)
        {
            if (c is '"' or '\\') json.Append('\\').Append(c);
            else if (c < ' ') json.Append($"\\u{(int)c:x4}");
            else json.Append(c);
        }
        return json.Append('"').ToString();
    }
}
