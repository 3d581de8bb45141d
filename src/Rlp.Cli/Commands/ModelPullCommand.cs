using System.CommandLine;
using System.Globalization;
using Rlp.Models.Hub;
using Rlp.Models.Weights;

namespace Rlp.Cli.Commands;

/// <summary>rlp model pull: fetches a model from a hub.</summary>
internal static class ModelPullCommand
{
    private const string DefaultRevision = "main";

    public static Command Create()
    {
        var repository = new Argument<string>("REPO") { Description = "owner/name" };
        var revision = new Option<string>("--revision") { Description = "A branch, a tag or a commit.", DefaultValueFactory = _ => DefaultRevision };
        var endpoint = new Option<string?>("--endpoint")
        {
            Description = $"Address of a hub or of a mirror. Default: HF_ENDPOINT of the environment, then {HubSettings.DefaultEndpoint}.",
            HelpName = "URL",
        };
        var token = new Option<string?>("--token") { Description = "For models that are not public. Default: HF_TOKEN of the environment, which no other user sees." };
        var target = new Option<string?>("--out") { Description = "Folder to fetch into. Default: the name behind the owner, here.", HelpName = "DIR" };
        var command = new Command("pull", "Fetches a model: weights as safetensors, configuration, tokenizer, licence.\n\n"
            + "Files gather in DIR.partial and are checked against the hub's checksums; the same command continues what was cut.\n\n"
            + "Examples:\n"
            + "  rlp model pull Qwen/Qwen3-1.7B --out models/Qwen3-1.7B\n"
            + "  HF_TOKEN=... rlp model pull meta-llama/Llama-3.2-1B --revision main") { repository, revision, endpoint, token, target };
        // What the hub's classes refuse before they ask anyone is the command line's fault.
        command.Validators.Add(result =>
        {
            try
            {
                if (result.GetResult(repository)?.Tokens.SingleOrDefault()?.Value is not { } name) return;
                new HubRepository(name, Text(revision) ?? DefaultRevision, HubSettings.FromEnvironment(null, Text(endpoint))).Dispose();
            }
            catch (HubException e)
            {
                result.AddError(e.Message);
            }

            string? Text(Option option) => result.GetResult(option)?.Tokens.SingleOrDefault()?.Value;
        });
        command.SetAction((arguments, cancellation) => FailureReport.Guard(async () =>
        {
            var name = arguments.GetValue(repository)!;
            using var hub = new HubRepository(
                name, arguments.GetValue(revision)!, HubSettings.FromEnvironment(arguments.GetValue(token), arguments.GetValue(endpoint)));
            using var progress = new PullProgress();
            var snapshot = await hub.Pull(arguments.GetValue(target) ?? name[(name.LastIndexOf('/') + 1)..], progress, cancellation);
            progress.Dispose();
            foreach (var file in snapshot.Files.Where(f => !f.Verified))
                await Console.Error.WriteLineAsync($"rlp: the hub names no checksum of {file.Name}; its size is right, its content was not checked");
            Console.WriteLine(
                $"{snapshot.Folder}: {snapshot.Repository} at {snapshot.Commit}, {snapshot.Files.Count} files, {ByteSize.Text(snapshot.Files.Sum(f => f.Bytes))}"
                + (snapshot.AlreadyThere ? ", was already there" : ""));
            return ExitCodes.Done;
        }));
        return command;
    }

    private sealed class PullProgress : IProgress<HubProgress>, IDisposable
    {
        private readonly ProgressLine line = new();

        public void Report(HubProgress value) => line.Show(() => Text(value));

        public void Dispose() => line.Dispose();
    }

    /// <summary>model.safetensors: 1.2 GB of 3.44 GB (34 %), 80 MB/s, 0:28 left</summary>
    internal static string Text(HubProgress progress)
    {
        var text = $"{progress.File}: {ByteSize.Text(progress.Bytes)}";
        var rate = $"{ByteSize.Text((long)progress.BytesPerSecond)}/s";
        if (progress.Total is not { } total || total == 0) return $"{text}, {rate}";
        text += string.Create(CultureInfo.InvariantCulture, $" of {ByteSize.Text(total)} ({100 * progress.Bytes / total} %), {rate}");
        if (progress.BytesPerSecond < 1) return text;
        var left = TimeSpan.FromSeconds(Math.Min((total - progress.Bytes) / progress.BytesPerSecond, TimeSpan.MaxValue.TotalSeconds / 2));
        return text + string.Create(CultureInfo.InvariantCulture, $", {(long)left.TotalMinutes}:{left.Seconds:D2} left");
    }
}
