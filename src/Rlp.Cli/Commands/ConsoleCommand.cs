using System.CommandLine;
using System.CommandLine.Parsing;
using System.Runtime.InteropServices;
using Rlp.Actors.Hosting;
using Rlp.Cli.Consoles;
using Rlp.Consoles;
using Spectre.Console;

namespace Rlp.Cli.Commands;

/// <summary>rlp console [HOST:PORT] [COMMAND]: asks a node of a cluster, once or again and again.</summary>
internal static class ConsoleCommand
{
    private const string StandardNode = "127.0.0.1:7001";

    private static readonly TimeSpan NamesKept = TimeSpan.FromSeconds(5);

    public static Command Create()
    {
        var words = new Argument<string[]>("HOST:PORT COMMAND")
        {
            Description = $"The HTTP endpoint of a node (default {StandardNode}), and a command; without one they are read from the terminal, or from standard input.",
            Arity = ArgumentArity.ZeroOrMore,
        };
        var (token, json) = (CommonOptions.TokenFile(), CommonOptions.Json("The lines of the answer as JSON."));
        var command = new Command("console", "Looks into a running cluster and controls it, through any of its nodes.\n\n"
            + "Examples:\n"
            + "  rlp console\n"
            + "  rlp console 127.0.0.1:7002 run show -r arithmetic-1\n"
            + "  rlp console worker list --json\n"
            + "  rlp console metrics tail -r arithmetic-1\n"
            + "  echo 'cluster show' | rlp console 127.0.0.1:7003\n\n"
            + $"'rlp console help' names the commands. Exit code {ExitCodes.Done}: answered. {ExitCodes.BadConfiguration}: no command. {ExitCodes.CommandFailed}: the answer is an error. "
            + $"{ExitCodes.BrokenEnvironment}: the node is gone.") { words, token, json };
        command.TreatUnmatchedTokensAsErrors = false; // the switches of the palettes' verbs
        command.SetAction((arguments, _) => FailureReport.Guard(async () =>
        {
            string[] given = [.. Words(arguments, token, json)];
            var address = given is [var first, ..] && first.Contains(':') ? first : null;
            var line = CommandLine.Join(address is null ? given : given[1..]);
            using var client = new ConsoleClient(address ?? StandardNode, arguments.GetValue(token));
            if (line.Length > 0) return await AskAsync(client, line, Display(arguments.GetValue(json)), CancellationToken.None);
            return Console.IsInputRedirected ? await ReadAsync(client, Display(arguments.GetValue(json))) : await ConverseAsync(client);
        }));
        return command;
    }

    /// <summary>What stands behind 'console', in its order, but for this command's own options.</summary>
    private static IEnumerable<string> Words(ParseResult arguments, Option<string?> token, Option<bool> json)
    {
        var tokens = arguments.Tokens.SkipWhile(t => t.Type != TokenType.Command).Skip(1);
        var skip = false;
        foreach (var one in tokens)
        {
            if (!skip && one.Value != token.Name && one.Value != json.Name) yield return one.Value;
            skip = one.Value == token.Name;
        }
    }

    private static AnswerDisplay Display(bool json) =>
        json ? new JsonAnswerDisplay(Console.Out)
        : Console.IsOutputRedirected ? new PlainAnswerDisplay(Console.WriteLine, line => Console.Error.WriteLine($"rlp: {line}"))
        : new TerminalAnswerDisplay(AnsiConsole.Console);

    private static async Task<int> AskAsync(ConsoleClient client, string line, AnswerDisplay display, CancellationToken cancellation)
    {
        var code = ExitCodes.Done;
        try
        {
            await foreach (var one in client.AskAsync(line, cancellation))
            {
                display.Show(one);
                if (one is ErrorLine) code = ExitCodes.CommandFailed;
            }
        }
        catch (CommandNotUnderstoodException e)
        {
            display.Show(new ErrorLine(e.Message));
            code = ExitCodes.BadConfiguration;
        }
        finally
        {
            display.End();
        }
        return code;
    }

    /// <summary>Each line of standard input is a command; the exit code is that of the first that failed.</summary>
    private static async Task<int> ReadAsync(ConsoleClient client, AnswerDisplay display)
    {
        var code = ExitCodes.Done;
        while (await Console.In.ReadLineAsync() is { } line)
        {
            if (line.Trim() is "exit" or "quit") break;
            if (line.Trim().Length == 0) continue;
            var one = await AskAsync(client, line, display, CancellationToken.None);
            if (code == ExitCodes.Done) code = one;
        }
        return code;
    }

    private static async Task<int> ConverseAsync(ConsoleClient client)
    {
        var name = await client.NodeAsync();
        var display = new TerminalAnswerDisplay(AnsiConsole.Console);
        var names = new Dictionary<string, (long At, string[] Names)>();
        var editor = new LineEditor(
            () => Console.ReadKey(intercept: true), Console.Out, () => Console.WindowWidth, new LineHistory(LineHistory.StandardPath),
            text => Completion.Of(text, ConsolePalettes.All, NamesOf));
        AnsiConsole.MarkupLine($"node [bold]{Markup.Escape(name)}[/]; 'help' names the commands, Tab completes them, 'exit' ends");
        while (Line(editor, name) is { } line && line.Trim() is not ("exit" or "quit"))
        {
            if (line.Trim().Length == 0) continue;
            using var stop = new CancellationTokenSource();
            using var interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, signal =>
            {
                signal.Cancel = true; // of the answer, not of the console
                stop.Cancel();
            });
            try
            {
                await AskAsync(client, line, display, stop.Token);
            }
            catch (OperationCanceledException) when (stop.IsCancellationRequested)
            {
            }
            catch (RunRefusedException e)
            {
                display.Show(new ErrorLine(e.Message)); // it may be back for the next command
            }
        }
        return ExitCodes.Done;

        IReadOnlyList<string> NamesOf(string argument)
        {
            if (argument switch { "run" => "run list", "node" => "cluster show", _ => null } is not { } ask) return [];
            if (names.TryGetValue(argument, out var kept) && Environment.TickCount64 - kept.At < NamesKept.TotalMilliseconds) return kept.Names;
            return (names[argument] = (Environment.TickCount64, FirstCellsAsync(client, ask).GetAwaiter().GetResult())).Names;
        }
    }

    private static string? Line(LineEditor editor, string name)
    {
        Console.TreatControlCAsInput = true;
        try
        {
            return editor.Read($"{name}> ");
        }
        finally
        {
            Console.TreatControlCAsInput = false;
        }
    }

    /// <summary>The first words of an answer's rows; none where the node does not answer: a completion is not worth an error.</summary>
    private static async Task<string[]> FirstCellsAsync(ConsoleClient client, string command)
    {
        try
        {
            var cells = new List<string>();
            await foreach (var line in client.AskAsync(command))
                if (line is RowLine row) cells.Add(row.Cells[0].Split(' ')[0]);
            return [.. cells];
        }
        catch (RunRefusedException)
        {
            return [];
        }
    }
}
