namespace Petabridge.Cmd;

/// <summary>A part of the answer to a command.</summary>
/// <param name="msg">What is shown.</param>
/// <param name="final">Nothing follows.</param>
public class CommandResponse(string msg, bool final = true)
{
    /// <summary>Ends an answer.</summary>
    public static readonly CommandResponse Empty = new("");

    public string Msg { get; } = msg;

    public bool Final { get; } = final;
}

/// <summary>The command has failed.</summary>
public sealed class ErroredCommandResponse(string msg, bool final = true) : CommandResponse(msg, final);
