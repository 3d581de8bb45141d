using System.CommandLine;
using System.Text.Json;
using Rlp.Actors.Journals;
using Rlp.Actors.Replays;
using Rlp.Cli.Configuration;
using Rlp.Protocol.Runs;
using Rlp.Training.Engines.Torch;

namespace Rlp.Cli.Commands;

/// <summary>rlp runs verify RUN: executes steps again and compares them with the journal.</summary>
internal static class RunsVerifyCommand
{
    public static Command Create()
    {
        var run = RunsCommand.RunArgument();
        var stage = new Option<string?>("--stage") { Description = "The stage. Default: every stage; with a step given, the one that was begun last." };
        var from = new Option<long?>("--from-step") { Description = "First step. Default: the stage's first." };
        var to = new Option<long?>("--to-step") { Description = "Last step. Default: the last applied one." };
        var each = new Option<bool>("--each") { Description = "One line for each step that was executed again." };
        var source = new JournalSource();
        var json = CommonOptions.Json("One JSON object per step that was executed again, then one per stage.");
        var command = new Command("verify", "Executes steps of a run again and compares every digest that the journal holds, bit for bit.\n\n"
            + "Examples:\n"
            + "  rlp runs verify arithmetic-1\n"
            + "  rlp runs verify arithmetic-1 --stage rlp --from-step 150 --each\n\n"
            + "Thoughts, rewards, loss, gradient norm, parameters and metrics must be equal. Starts from the newest checkpoint before the first step, else from the\n"
            + "stage's start, and writes nothing: the run may go on meanwhile. It computes with the number of threads that the journal names.\n"
            + $"Exit code {ExitCodes.Done}: equal. {ExitCodes.NotReproduced}: a step differs. {ExitCodes.NotVerifiable}: nothing can be said, because a checkpoint, corpus or model is missing or\n"
            + "another one, or because a step differs on another machine, number of threads or version than the journal names.")
        {
            run, stage, from, to, each, json,
        };
        source.AddTo(command);
        command.SetAction((arguments, cancellation) => FailureReport.Guard(() => Task.FromResult(Verify(
            new VerifyRequest(arguments.GetValue(run)!, arguments.GetValue(stage), arguments.GetValue(from), arguments.GetValue(to),
                arguments.GetValue(each), source.Of(arguments), arguments.GetValue(json)),
            cancellation))));
        return command;
    }

    private sealed record VerifyRequest(string Run, string? Stage, long? From, long? To, bool Each, (RunJournal Journal, string RunsFolder) Source, bool Json);

    private static int Verify(VerifyRequest request, CancellationToken cancellation)
    {
        var (events, _) = RunsCommand.Find(request.Source.Journal, request.Run);
        var folder = Path.Combine(request.Source.RunsFolder, request.Run);
        NativeLibrary.Load();
        try
        {
            var run = new RunReplay(new TorchEngineFactory(), events, folder);
            var code = ExitCodes.Done;
            foreach (var (stage, from, to) in Ranges(run, request))
            {
                var verified = Verify(run, stage, from, to, request, cancellation);
                if (verified.Diverged is not null)
                {
                    code = verified.OtherEnvironment.Count > 0 ? ExitCodes.NotVerifiable : ExitCodes.NotReproduced;
                    break; // later stages start from this one's weights
                }
            }
            return code;
        }
        catch (ReplayImpossibleException e)
        {
            if (request.Json) Console.WriteLine(JsonSerializer.Serialize(new { Run = request.Run, Verdict = "unknown", Reason = e.Message }, RunView.Json));
            Console.Error.WriteLine($"rlp: cannot verify: {e.Message}");
            return ExitCodes.NotVerifiable;
        }
    }

    private static RunVerification Verify(RunReplay run, string stage, long from, long to, VerifyRequest request, CancellationToken cancellation)
    {
        using var line = new ProgressLine();
        var verified = RunVerification.Of(
            run, stage, from, to,
            notice =>
            {
                line.Clear();
                Console.Error.WriteLine($"rlp: {notice}");
            },
            step =>
            {
                var (number, equal) = (step.Journaled.Applied.Step, step.Divergences.Count == 0);
                line.Show(() => $"stage {stage}: step {number} of {to} executed again");
                if (request.Json)
                    Console.WriteLine(JsonSerializer.Serialize(new { Stage = stage, Step = number, Equal = equal, step.Divergences }, RunView.Json));
                else if (request.Each && equal)
                    Console.WriteLine($"{stage} {number}/{to} equal, parameters {step.Applied.ParametersSha256[..12]}");
            },
            cancellation);
        line.Clear();
        Report(verified, request);
        return verified;
    }

    private static void Report(RunVerification verified, VerifyRequest request)
    {
        if (request.Json)
        {
            Console.WriteLine(JsonSerializer.Serialize(new
            {
                request.Run,
                verified.Stage,
                Verdict = verified.Diverged is null ? "equal" : verified.OtherEnvironment.Count > 0 ? "unknown" : "different",
                verified.Start,
                FromStep = verified.From,
                ToStep = verified.To,
                verified.Verified,
                DivergedAtStep = verified.Diverged?.Journaled.Applied.Step,
                verified.Diverged?.Divergences,
                verified.OtherEnvironment,
            }, RunView.Json));
            return;
        }
        if (verified.Diverged is not { } diverged)
        {
            Console.WriteLine($"{verified.Stage}: steps {verified.Start + 1} to {verified.To} are equal to the journal, bit for bit");
            return;
        }
        Console.WriteLine($"{verified.Stage}: step {diverged.Journaled.Applied.Step} DIFFERS from the journal"
            + (verified.Verified > 0 ? $"; the {verified.Verified} steps before it are equal" : ""));
        foreach (var divergence in diverged.Divergences)
            Console.WriteLine($"  {divergence.What}: expected {divergence.Expected}, found {divergence.Found}");
        if (verified.OtherEnvironment.Count > 0)
            Console.WriteLine("  This says nothing about the run: it was executed in another environment (see above). Verify it there.");
    }

    /// <summary>What to execute: one stage's steps, or all steps of all stages that the run itself executed.</summary>
    private static IEnumerable<(string Stage, long From, long To)> Ranges(RunReplay run, VerifyRequest request)
    {
        if (request.Stage is null && (request.From ?? request.To) is null)
        {
            var all = run.Stages.Select(s => (Id: s.Stage, Own: run.OwnSteps(s.Stage))).Where(s => s.Own.From <= s.Own.To).ToList();
            if (all.Count == 0) throw new ReplayImpossibleException($"run '{run.State.RunId}' has applied no step of its own yet");
            return all.Select(s => (s.Id, s.Own.From, s.Own.To));
        }
        var id = RecipeReader.StageId(request.Stage ?? run.Stages.LastOrDefault()?.Stage ?? "");
        var own = run.OwnSteps(id);
        var (from, to) = (request.From ?? own.From, request.To ?? own.To);
        if (from < 1 || to < from || to > own.To)
            throw new ConfigurationException(
            [
                new ConfigurationProblem("--from-step, --to-step", null, "", own.To == 0
                    ? $"stage '{id}' has no applied step yet"
                    : $"steps {from} to {to} are none of stage '{id}', which has applied steps 1 to {own.To}"),
            ]);
        return [(id, from, to)];
    }
}
