using System.Text.Json;
using Rlp.Models;
using Rlp.Protocol.Payloads;
using Rlp.Training;
using Rlp.Training.Checkpoints;

namespace Rlp.Actors.Workers;

/// <summary>Tells failures of the data, which fail on any machine, from failures of the machine, where the exception is known.</summary>
internal static class FailureCause
{
    public static FailureKind Of(Exception exception) => exception switch
    {
        CheckpointException or TrainingDivergedException or ModelFormatException => FailureKind.Data,
        InvalidDataException or FormatException or JsonException or EndOfStreamException => FailureKind.Data,
        FileNotFoundException or DirectoryNotFoundException => FailureKind.Data,
        _ => FailureKind.Infrastructure,
    };
}
