namespace Rlp.Cli.Tests.Commands;

/// <summary>The program's entry point, called in this process; what it prints is caught. Its tests share one collection: the console is one.</summary>
internal static class RlpCommand
{
    public const string Collection = "console";

    public static async Task<(int Code, string Output, string Error)> Run(params string[] arguments)
    {
        var (output, error) = (Console.Out, Console.Error);
        using var caught = new StringWriter();
        using var caughtError = new StringWriter();
        Console.SetOut(caught);
        Console.SetError(caughtError);
        try
        {
            return (await Program.Main(arguments), caught.ToString(), caughtError.ToString());
        }
        finally
        {
            Console.SetOut(output);
            Console.SetError(error);
        }
    }

    /// <summary>The standard output of a call that has to succeed.</summary>
    public static async Task<string> Succeed(params string[] arguments)
    {
        var (code, output, error) = await Run(arguments);
        Assert.True(code == ExitCodes.Done, $"rlp {string.Join(' ', arguments)}: exit code {code}\n{error}");
        return output;
    }
}
