using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using Rlp.Protocol.Runs;

namespace Rlp.Cli.Commands;

/// <summary>What `rlp runs` does with --to: the same questions to a node of a cluster, and the commands that only a cluster takes.</summary>
internal static class ClusterRuns
{
    public static async Task<int> ListAsync(string node, string? token, bool json)
    {
        using var cluster = new ClusterClient(node, token);
        foreach (var run in (await cluster.GetAsync("/runs")).EnumerateArray())
            Console.WriteLine(json ? run : $"{run.GetProperty("run")}  {run.GetProperty("status")}  {run.GetProperty("stage")} {run.GetProperty("step")}/{run.GetProperty("steps")}");
        return ExitCodes.Done;
    }

    public static async Task<int> ShowAsync(string node, string? token, string run, bool json)
    {
        using var cluster = new ClusterClient(node, token);
        var answer = await cluster.GetAsync($"/runs/{Uri.EscapeDataString(run)}");
        if (json)
        {
            Console.WriteLine(answer);
            return ExitCodes.Done;
        }
        var view = answer.Deserialize<RunView>(RunView.Json)!;
        Console.WriteLine($"run      {view.Run}");
        Console.WriteLine($"recipe   {view.Recipe}, seed {view.Seed}, digest {view.RecipeSha256[..12]}");
        Console.WriteLine($"status   {view.Status}{(view.Failure is null ? "" : ": " + view.Failure)}");
        Console.WriteLine($"stage    {(view.Stage is null ? "-" : $"{view.Stage} {view.Step}/{view.Steps}")}");
        if (view.Doing is not null) Console.WriteLine($"doing    {view.Doing}");
        if (view.Node is not null) Console.WriteLine($"entity   on {view.Node}");
        foreach (var worker in view.Workers) Console.WriteLine($"{(worker.Role == "lane" ? $"lane {worker.Lane}" : worker.Role),-8} on {worker.Node}");
        foreach (var (name, value) in view.Recovery) Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{name,-26} {value:0.###}"));
        return ExitCodes.Done;
    }

    /// <summary>JSON lines whether asked for or not: they are to be compared, not read.</summary>
    public static async Task<int> DigestsAsync(string node, string? token, string run)
    {
        using var cluster = new ClusterClient(node, token);
        await foreach (var line in cluster.LinesAsync($"/runs/{Uri.EscapeDataString(run)}/digests")) Console.WriteLine(line);
        return ExitCodes.Done;
    }

    /// <summary>rlp runs pause | resume | cancel.</summary>
    public static IEnumerable<Command> Controls()
    {
        yield return Control("pause", "Stops a run of a cluster after its current engine call and a checkpoint.");
        yield return Control("resume", "Goes on with a run of a cluster that was paused or has failed.");
        yield return Control("cancel", "Ends a run of a cluster for good. What it has committed stays; 'rlp runs fork' can go on from there.");
    }

    private static Command Control(string verb, string description)
    {
        var run = new Argument<string>("RUN") { Description = "Id of the run." };
        var (to, token) = (CommonOptions.To(required: true), CommonOptions.TokenFile());
        var command = new Command(verb, $"{description}\n\nExample:\n  rlp runs {verb} arithmetic-1 --to 127.0.0.1:7001") { run, to, token };
        command.SetAction((arguments, _) => FailureReport.Guard(async () =>
        {
            using var cluster = new ClusterClient(arguments.GetValue(to)!, arguments.GetValue(token));
            var id = arguments.GetValue(run)!;
            await cluster.PostAsync($"/runs/{Uri.EscapeDataString(id)}/{verb}");
            var view = await cluster.GetAsync($"/runs/{Uri.EscapeDataString(id)}");
            Console.WriteLine($"run '{id}' is {view.GetProperty("status")}");
            return ExitCodes.Done;
        }));
        return command;
    }
}
