using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using Rlp.Actors.Hosting;
using Rlp.Cli.Configuration;

namespace Rlp.Cli.Commands;

/// <summary>rlp submit RECIPE: gives a run to a cluster, which keeps it going by itself.</summary>
internal static class SubmitCommand
{
    public static Command Create()
    {
        var recipe = new Argument<string>("RECIPE") { Description = "The recipe file (HOCON). Files that it names must be there on the nodes too." };
        var to = CommonOptions.To(required: true);
        var token = CommonOptions.TokenFile();
        var runId = new Option<string?>("--run-id") { Description = "Name of the run; an existing one is continued. Default: RECIPE-SEED." };
        var seed = new Option<long?>("--seed") { Description = "Seed of weights, data order and sampling. Default: the recipe's." };
        var set = new Option<string[]>("--set") { Description = "Overrides one key: --set rlp.group-size=16. May be repeated." };
        var json = CommonOptions.Json("One JSON object.");
        var command = new Command("submit", "Submits a run to a cluster of 'rlp node' processes. It goes on without this command; 'rlp runs show' tells where it stands.\n\n"
            + "Examples:\n"
            + "  rlp submit hocon/recipes/arithmetic.hocon --to 127.0.0.1:7001\n"
            + "  rlp submit hocon/recipes/arithmetic.hocon --to 127.0.0.1:7001 --run-id wide --set rlp.lanes=8\n"
            + "  rlp runs show arithmetic-1 --to 127.0.0.1:7002") { recipe, to, token, runId, seed, set, json };
        command.SetAction((arguments, _) => FailureReport.Guard(async () =>
        {
            string[] overrides = [.. arguments.GetValue(set) ?? [], .. arguments.GetValue(seed) is { } s ? (string[])[string.Create(CultureInfo.InvariantCulture, $"seed={s}")] : []];
            var loaded = RecipeFile.Load(arguments.GetValue(recipe)!, overrides);
            var id = arguments.GetValue(runId) ?? string.Create(CultureInfo.InvariantCulture, $"{loaded.Recipe.Name}-{loaded.Recipe.Seed}");
            using var cluster = new ClusterClient(arguments.GetValue(to)!, arguments.GetValue(token));
            using var body = JsonDocument.Parse(loaded.Recipe.ToJson());
            var accepted = await cluster.PostAsync("/runs", new RunSubmission(id, body.RootElement, loaded.CanonicalText));
            if (arguments.GetValue(json)) Console.WriteLine(accepted);
            else
            {
                var (resumed, complete) = (accepted.GetProperty("resumed").GetBoolean(), accepted.GetProperty("already_complete").GetBoolean());
                Console.WriteLine(complete ? $"run '{id}' is complete" : resumed ? $"run '{id}' goes on" : $"run '{id}' has begun");
                Console.WriteLine($"'rlp runs show {id} --to {arguments.GetValue(to)}' tells where it stands");
            }
            return ExitCodes.Done;
        }));
        return command;
    }
}
