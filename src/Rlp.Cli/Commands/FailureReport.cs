using Rlp.Actors.Hosting;
using Rlp.Cli.Configuration;
using Rlp.Corpora;
using Rlp.Models;
using Rlp.Protocol.Payloads;
using Rlp.Training.Checkpoints;

namespace Rlp.Cli.Commands;

/// <summary>Turns what went wrong into a message on standard error and an exit code.</summary>
internal static class FailureReport
{
    public static async Task<int> Guard(Func<Task<int>> command)
    {
        try
        {
            return await command();
        }
        catch (Exception e) when (CodeOf(e) is { } code)
        {
            foreach (var line in e.Message.Split('\n')) await Console.Error.WriteLineAsync($"rlp: {line.TrimEnd()}");
            return code;
        }
        catch (Exception e)
        {
            await Console.Error.WriteLineAsync($"rlp: unexpected error, please report it: {e}");
            return ExitCodes.Unexpected;
        }
    }

    public static int CodeOf(FailureKind kind) => kind switch
    {
        FailureKind.Configuration => ExitCodes.BadConfiguration,
        FailureKind.Data => ExitCodes.BadData,
        _ => ExitCodes.RunFailed,
    };

    private static int? CodeOf(Exception e) => e switch
    {
        ConfigurationException => ExitCodes.BadConfiguration,
        RunRefusedException refused => refused.Kind == FailureKind.Infrastructure ? ExitCodes.BrokenEnvironment : CodeOf(refused.Kind),
        CorpusException or CheckpointException or ModelFormatException or InvalidDataException => ExitCodes.BadData,
        NativeLibraryException or IOException or UnauthorizedAccessException => ExitCodes.BrokenEnvironment,
        _ => null,
    };
}
