using System.Text;
using Rlp.Models.Hub;

namespace Rlp.Models.Tests.Hub;

public sealed class HubRepositoryTests : IAsyncLifetime
{
    private const string Weights = "model.safetensors", Token = "hf_secret";

    private readonly TemporaryFolder folder = new();
    private FakeHub hub = null!;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        hub = await FakeHub.Start();
        hub.Files["config.json"] = Encoding.UTF8.GetBytes("{\"model_type\":\"tiny\"}");
        hub.Files["tokenizer.json"] = Encoding.UTF8.GetBytes("{}");
        hub.Files[Weights] = Content(700_000);
        hub.Files["pytorch_model.bin"] = Content(10);
        hub.Files["model.onnx"] = Content(10);
        hub.Files["original/model.safetensors"] = Content(10);
        hub.Files[".gitattributes"] = Content(10);
    }

    public async ValueTask DisposeAsync()
    {
        await hub.DisposeAsync();
        folder.Dispose();
    }

    [Fact]
    public async Task A_pull_brings_the_wanted_files_and_says_how_far_it_is()
    {
        var progress = new Reports();
        var snapshot = await Pull(progress: progress);

        Assert.Equal(["config.json", Weights, "tokenizer.json"], Names(folder["model"]).Where(n => n[0] != '.'));
        Assert.All(snapshot.Files, f =>
        {
            Assert.Equal(hub.Files[f.Name], File.ReadAllBytes(Path.Combine(folder["model"], f.Name)));
            Assert.True(f.Verified, f.Name);
        });
        Assert.Equal(FakeHub.Commit, snapshot.Commit);
        Assert.Equal(["model"], Directory.EnumerateFileSystemEntries(folder.Path).Select(f => Path.GetFileName(f)));
        var total = snapshot.Files.Sum(f => (long)hub.Files[f.Name].Length);
        Assert.Equal((total, total), (progress.Last.Bytes, progress.Last.Total));
        Assert.True(progress.Last.BytesPerSecond > 0);
        Assert.All(hub.Seen, r => Assert.Null(r.Authorization));
    }

    [Fact]
    public async Task A_second_pull_of_the_same_commit_fetches_nothing_and_of_another_one_overwrites_nothing()
    {
        await Pull();
        hub.Seen.Clear();
        Assert.True((await Pull()).AlreadyThere);
        Assert.Single(hub.Seen);

        hub.Head = new string('f', 40);
        Assert.Contains("nothing is overwritten", (await Fails()).Message);

        Directory.CreateDirectory(folder["other"]);
        File.WriteAllText(Path.Combine(folder["other"], "mine"), "");
        Assert.Contains("is not empty", (await Fails("other")).Message);
        Directory.CreateDirectory(folder["third.partial"]);
        File.WriteAllText(Path.Combine(folder["third.partial"], "mine"), "");
        Assert.Contains("is not empty", (await Fails("third")).Message);
        Assert.True(File.Exists(Path.Combine(folder["third.partial"], "mine")));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_cut_connection_is_continued_where_it_broke(bool redirected)
    {
        await using var storage = await FakeHub.Start();
        storage.Files[Weights] = hub.Files[Weights];
        if (redirected) hub.Storage = storage;
        var source = redirected ? storage : hub;
        var cuts = 0;
        source.CutAfter = name => name == Weights && cuts++ < 8 ? 50_000 : null; // more cuts than tries in a row: each brings something

        await Pull();

        var requests = source.Contents(Weights).ToList();
        Assert.Equal(9, requests.Count);
        Assert.Null(requests[0].Range);
        Assert.All(requests.Skip(1), r => Assert.Matches(@"^bytes=[1-9]\d*-$", r.Range!));
        Assert.All(requests.Skip(1), r => Assert.Equal(redirected ? "\"storage-700000\"" : $"\"{FakeHub.GitBlob(hub.Files[Weights])}\"", r.IfRange));
        Assert.Equal(hub.Files[Weights], File.ReadAllBytes(Path.Combine(folder["model"], Weights)));
    }

    [Fact]
    public async Task A_later_call_continues_a_pull_that_was_given_up()
    {
        hub.CutAfter = name => name == Weights ? hub.Contents(Weights).Count() == 1 ? 300_000 : 0 : null;
        var message = (await Fails()).Message;
        Assert.Contains($"'{Weights}' of repository 'tiny/model'", message);
        Assert.False(Directory.Exists(folder["model"]));
        var part = new FileInfo(Path.Combine(folder["model.partial"], Weights + ".partial"));
        Assert.InRange(part.Length, 1, 300_000);

        hub.CutAfter = _ => null;
        hub.Seen.Clear();
        var progress = new Reports();
        await Pull(progress: progress);
        Assert.Equal($"bytes={part.Length}-", Assert.Single(hub.Contents(Weights)).Range);
        Assert.Empty(hub.Contents("config.json")); // was whole
        Assert.Equal(hub.Files[Weights], File.ReadAllBytes(Path.Combine(folder["model"], Weights)));
        Assert.Equal(progress.Last.Total, progress.Last.Bytes);
    }

    [Fact]
    public async Task A_part_of_other_content_is_not_continued()
    {
        hub.CutAfter = name => name == Weights ? hub.Contents(Weights).Count() == 1 ? 300_000 : 0 : null;
        await Fails();
        hub.Files[Weights] = Content(500_000, seed: 2);
        hub.CutAfter = _ => null;
        hub.Seen.Clear();

        await Pull();
        Assert.Null(Assert.Single(hub.Contents(Weights)).Range);
        Assert.Equal(hub.Files[Weights], File.ReadAllBytes(Path.Combine(folder["model"], Weights)));
    }

    [Fact]
    public async Task A_server_that_ignores_ranges_is_begun_anew()
    {
        hub.Before = context =>
        {
            context.Request.Headers.Remove("Range");
            return Task.FromResult(false);
        };
        var cuts = 0;
        hub.CutAfter = name => name == Weights && cuts++ < 1 ? 300_000 : null;
        await Pull();
        Assert.Equal(hub.Files[Weights], File.ReadAllBytes(Path.Combine(folder["model"], Weights)));
    }

    [Theory]
    [InlineData(Weights)] // SHA-256
    [InlineData("config.json")] // SHA-1 of a git blob
    public async Task Content_with_a_wrong_checksum_is_named_and_removed(string file)
    {
        hub.Before = async context =>
        {
            if (context.Request.Method != "GET" || !context.Request.Path.Value!.EndsWith("/" + file, StringComparison.Ordinal)) return false;
            var damaged = hub.Files[file].ToArray();
            damaged[^1] ^= 1;
            await context.Response.Body.WriteAsync(damaged);
            return true;
        };
        var message = (await Fails()).Message;
        Assert.Contains($"'{file}'", message);
        Assert.Contains(file == Weights ? FakeHub.Sha256(hub.Files[file]) : FakeHub.GitBlob(hub.Files[file]), message);
        Assert.DoesNotContain(Names(folder["model.partial"]), n => n.StartsWith(file, StringComparison.Ordinal));
        Assert.False(Directory.Exists(folder["model"]));

        hub.Before = null;
        await Pull();
        Assert.Equal(hub.Files[file], File.ReadAllBytes(Path.Combine(folder["model"], file)));
    }

    [Theory]
    [InlineData(401, null, "pass a token (--token or HF_TOKEN)")]
    [InlineData(403, null, "pass a token (--token or HF_TOKEN)")]
    [InlineData(403, Token, "accepted the terms")]
    public async Task A_gated_repository_says_how_to_get_in(int status, string? token, string advice)
    {
        hub.Before = context =>
        {
            context.Response.StatusCode = status;
            context.Response.Headers["X-Error-Code"] = "GatedRepo";
            return Task.FromResult(true);
        };
        var message = (await Fails(token: token)).Message;
        Assert.Contains(advice, message);
        Assert.Contains("'tiny/model'", message);
        Assert.Contains("GatedRepo", message);
        Assert.DoesNotContain(Token, message);
        Assert.Single(hub.Seen); // asking again would not help
    }

    [Fact]
    public async Task What_does_not_exist_is_named()
    {
        using (var unknown = new HubRepository("tiny/none", "main", Settings()))
        {
            var message = (await Assert.ThrowsAsync<HubException>(() => unknown.Pull(folder["model"], null, Cancellation))).Message;
            Assert.Contains("repository 'tiny/none', revision 'main' does not exist", message);
        }
        using var revision = new HubRepository(FakeHub.Repository, "v9", Settings());
        Assert.Contains("revision 'v9' does not exist", (await Assert.ThrowsAsync<HubException>(() => revision.Pull(folder["model"], null, Cancellation))).Message);

        hub.AlsoListed.Add("generation_config.json");
        Assert.Contains("'generation_config.json' of repository 'tiny/model', revision 'main' does not exist", (await Fails()).Message);
    }

    [Theory]
    [InlineData("../evil.json")]
    [InlineData("a/../../evil.json")]
    [InlineData("/etc/evil.json")]
    [InlineData("..\\evil.json")]
    [InlineData("C:evil.json")]
    [InlineData("..")]
    [InlineData("evil\u0007.json")]
    [InlineData("../not-even-wanted.bin")]
    public async Task A_name_that_leads_outside_is_refused_before_anything_is_fetched(string name)
    {
        hub.AlsoListed.Add(name);
        Assert.Contains("leads outside the folder", (await Fails()).Message);
        Assert.Single(hub.Seen);
        Assert.Empty(Directory.EnumerateFileSystemEntries(folder.Path));
    }

    [Fact]
    public async Task The_token_goes_to_the_hub_and_to_no_host_that_it_redirects_to()
    {
        await using var storage = await FakeHub.Start();
        storage.Files[Weights] = hub.Files[Weights];
        hub.Storage = storage;

        await Pull(token: Token);

        Assert.NotEmpty(storage.Seen);
        Assert.All(storage.Seen, r => Assert.Null(r.Authorization));
        Assert.All(hub.Seen, r => Assert.Equal($"Bearer {Token}", r.Authorization));
        Assert.All(Directory.EnumerateFiles(folder["model"]), f => Assert.DoesNotContain(Token, File.ReadAllText(f)));
    }

    [Fact]
    public async Task A_server_in_trouble_is_asked_again_and_not_for_ever()
    {
        var answers = 0;
        hub.Before = context =>
        {
            if (++answers > 3) return Task.FromResult(false);
            context.Response.StatusCode = answers == 2 ? 429 : 503;
            return Task.FromResult(true);
        };
        await Pull();
        Assert.True(answers > 3);

        hub.Before = context =>
        {
            context.Response.StatusCode = 500;
            return Task.FromResult(true);
        };
        hub.Seen.Clear();
        var message = (await Fails("other")).Message;
        Assert.Contains("status 500", message);
        Assert.Contains("(4 tries)", message);
        Assert.Equal(4, hub.Seen.Count);
    }

    [Fact]
    public async Task A_silent_server_is_given_up()
    {
        hub.Before = async context =>
        {
            await Task.Delay(Timeout.Infinite, context.RequestAborted).ContinueWith(_ => { }, TaskScheduler.Default);
            return true;
        };
        var impatient = new HubSettings { Endpoint = hub.Address, Attempts = 2, FirstDelay = TimeSpan.Zero, Silence = TimeSpan.FromMilliseconds(50) };
        using var repository = new HubRepository(FakeHub.Repository, "main", impatient);
        var message = (await Assert.ThrowsAsync<HubException>(() => repository.Pull(folder["model"], null, Cancellation))).Message;
        Assert.Contains("said nothing for", message);
    }

    [Fact]
    public async Task A_server_that_sends_more_or_less_than_it_announced_is_refused()
    {
        hub.Before = async context =>
        {
            if (context.Request.Method != "GET" || !context.Request.Path.Value!.EndsWith("/" + Weights, StringComparison.Ordinal)) return false;
            await context.Response.Body.WriteAsync(new byte[700_001]);
            return true;
        };
        Assert.Contains("sends more than the 700000 bytes", (await Fails()).Message);

        hub.Before = async context =>
        {
            if (context.Request.Method != "GET" || !context.Request.Path.Value!.EndsWith("/" + Weights, StringComparison.Ordinal)) return false;
            await context.Response.Body.WriteAsync(new byte[5]);
            return true;
        };
        Assert.Contains("of 700000 bytes", (await Fails("other")).Message);
    }

    [Fact]
    public async Task A_hub_that_announces_more_than_there_is_is_given_up()
    {
        hub.Before = context =>
        {
            if (context.Request.Method != "HEAD" || !context.Request.Path.Value!.EndsWith("/" + Weights, StringComparison.Ordinal)) return Task.FromResult(false);
            context.Response.Headers["X-Linked-Etag"] = $"\"{FakeHub.Sha256(hub.Files[Weights])}\"";
            context.Response.Headers["X-Linked-Size"] = "700001";
            return Task.FromResult(true);
        };
        await Fails();
        Assert.InRange(hub.Contents(Weights).Count(), 4, 10);
    }

    [Fact]
    public async Task More_than_the_disk_has_is_refused_before_it_is_fetched()
    {
        hub.Before = context =>
        {
            if (context.Request.Method != "HEAD" || !context.Request.Path.Value!.EndsWith("/" + Weights, StringComparison.Ordinal)) return Task.FromResult(false);
            context.Response.Headers["X-Linked-Etag"] = $"\"{new string('0', 64)}\"";
            context.Response.Headers["X-Linked-Size"] = "900000000000000000";
            return Task.FromResult(true);
        };
        using var repository = new HubRepository(FakeHub.Repository, "main", Settings());
        var message = (await Assert.ThrowsAsync<IOException>(() => repository.Pull(folder["model"], null, Cancellation))).Message;
        Assert.Contains("needs 900000000", message);
        Assert.DoesNotContain(hub.Seen, r => r.Method == "GET" && r.Path.Contains("resolve", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_branch_that_moves_during_the_pull_is_noticed()
    {
        hub.Before = context =>
        {
            if (context.Request.Path.Value!.EndsWith("/" + Weights, StringComparison.Ordinal)) hub.Head = new string('e', 40);
            return Task.FromResult(false);
        };
        Assert.Contains("moved from commit", (await Fails()).Message);
    }

    [Fact]
    public async Task A_repository_without_safetensors_says_what_it_has()
    {
        hub.Files.Remove(Weights);
        var message = (await Fails()).Message;
        Assert.Contains("no weights as safetensors", message);
        Assert.Contains("pytorch_model.bin", message);
    }

    [Theory]
    [InlineData("../model")]
    [InlineData("a/b/c")]
    [InlineData("a b")]
    [InlineData("")]
    [InlineData("a/..")]
    public void A_name_that_no_repository_has_is_refused(string name) =>
        Assert.Contains($"'{name}'", Assert.Throws<HubException>(() => new HubRepository(name, "main", Settings())).Message);

    private HubSettings Settings(string? token = null) =>
        new() { Endpoint = hub.Address, Token = token, Attempts = 4, FirstDelay = TimeSpan.FromMilliseconds(1), Silence = TimeSpan.FromSeconds(20) };

    private async Task<HubSnapshot> Pull(string name = "model", string? token = null, IProgress<HubProgress>? progress = null)
    {
        using var repository = new HubRepository(FakeHub.Repository, "main", Settings(token));
        return await repository.Pull(folder[name], progress, Cancellation);
    }

    private async Task<HubException> Fails(string name = "model", string? token = null) =>
        await Assert.ThrowsAsync<HubException>(() => Pull(name, token));

    private static byte[] Content(int length, int seed = 1)
    {
        var bytes = new byte[length];
        new Random(seed).NextBytes(bytes);
        return bytes;
    }

    private static IEnumerable<string> Names(string path) =>
        Directory.EnumerateFiles(path).Select(f => Path.GetFileName(f)!).Order(StringComparer.Ordinal);

    private sealed class Reports : IProgress<HubProgress>
    {
        public HubProgress Last { get; private set; } = new("", 0, null, 0);

        public void Report(HubProgress value) => Last = value;
    }
}
