using Rlp.Cli.Tests.Commands;

namespace Rlp.Cli.Tests.Consoles;

/// <summary>What no console would ask is refused with a status, and the run does not notice.</summary>
[Collection(RlpCommand.Collection)]
public sealed class HostileRequestTests(HostileNode node) : IClassFixture<HostileNode>, IAsyncLifetime
{
    public ValueTask InitializeAsync() => ValueTask.CompletedTask;

    public async ValueTask DisposeAsync() => await node.AssertUnharmedAsync();

    [Theory]
    [InlineData("""{"command": "run list"}""", 200, "alpha")]
    [InlineData("""{"command": "run cancel -r ../alpha"}""", 400, "expected a run id")]
    [InlineData("""{"command": "checkpoint prune -r ..%2f..%2fetc"}""", 400, "expected a run id")]
    [InlineData("""{"command": "run show -r alpha\u0000"}""", 400, "expected a run id")]
    [InlineData("""{"command": "run fork -r alpha -a 1 -i ../../x"}""", 400, "expected a run id")]
    [InlineData("""{"command": "checkpoint verify -r ../../x"}""", 400, "expected a run id")]
    [InlineData("""{"command": "checkpoint list -r .."}""", 400, "expected a run id")]
    [InlineData("""{"command": "checkpoint verify -r alpha -s ../../x"}""", 200, "has no stage '../../x'")]
    [InlineData("""{"command": "journal tail -r alpha/../../x"}""", 400, "expected a run id")]
    [InlineData("""{"command": "worker show -n ../../x -w learner"}""", 200, "there is no node '../../x'")]
    [InlineData("""{"command": "shutdown now"}""", 400, "there is no palette 'shutdown'")]
    [InlineData("""{"command": ""}""", 400, "an empty line is no command")]
    [InlineData("""{"command": 7}""", 400, "is not JSON like")]
    [InlineData("""{"command": null}""", 400, "is not JSON like")]
    [InlineData("""{"comand": "run list"}""", 400, "is not JSON like")]
    [InlineData("""["run list"]""", 400, "is not JSON like")]
    [InlineData("""{"command": "run li""", 400, "is not JSON like")]
    [InlineData("run list", 400, "is not JSON like")]
    [InlineData("", 400, "is not JSON like")]
    [InlineData("null", 400, "an empty line is no command")]
    public async Task A_body_is_answered_by_what_it_says(string body, int status, string text)
    {
        var answer = await node.SendAsync(HostileNode.Post(body));
        Assert.StartsWith($"HTTP/1.1 {status}", answer);
        Assert.Contains(text, answer);
    }

    [Theory]
    [InlineData("text/plain")] // what a page in a browser may send to another machine without asking it
    [InlineData("application/x-www-form-urlencoded")]
    public async Task What_a_page_in_a_browser_could_send_is_no_command(string type) =>
        Assert.StartsWith("HTTP/1.1 415", await node.SendAsync(HostileNode.Post("""{"command": "run cancel -r alpha"}""", type: type)));

    [Theory]
    [InlineData("GET /console", 405)]
    [InlineData("DELETE /console", 405)]
    [InlineData("GET /console/../../etc/passwd", 404)]
    [InlineData("GET /console/palettes/x", 404)]
    public async Task Other_requests_are_none(string line, int status) =>
        Assert.StartsWith($"HTTP/1.1 {status}", await node.SendLineAsync(line));

    [Theory]
    [InlineData("GET /runs/..%2f..%2fetc%2fpasswd", 404)]
    [InlineData("GET /runs/../../etc/passwd", 404)]
    [InlineData("GET /runs/%2e%2e/%2e%2e/etc/passwd", 404)]
    [InlineData("GET /runs/..%5calpha", 404)]
    [InlineData("GET /runs/alpha%00", 400)]
    [InlineData("GET /runs/..%2falpha/digests", 404)]
    [InlineData("POST /runs/..%2falpha/pause", 404)]
    [InlineData("POST /runs/..%2falpha/cancel", 404)]
    [InlineData("POST /runs/..%2falpha/resume", 404)]
    public async Task A_path_that_leads_elsewhere_names_no_run(string line, int status) =>
        Assert.StartsWith($"HTTP/1.1 {status}", await node.SendLineAsync(line));

    [Fact]
    public async Task A_run_whose_id_leads_elsewhere_is_not_begun()
    {
        var id = $"../{Path.GetFileName(node.Folder)}-escaped";
        var answer = await node.SendAsync(HostileNode.Post($$"""{"run_id": "{{id}}", "recipe": {{HostileNode.Recipe.ToJson()}}, "recipe_text": "x"}""", path: "/runs"));
        Assert.StartsWith("HTTP/1.1 409", answer);
        Assert.Contains("is no run id", answer);
        Assert.False(Directory.Exists(Path.Combine(node.Folder, id)));
    }

    [Fact]
    public async Task The_palettes_are_published_as_json()
    {
        var answer = await node.SendLineAsync("GET /console/palettes");
        Assert.StartsWith("HTTP/1.1 200", answer);
        Assert.Contains("""{"node":"one","palettes":[{"name":"run",""", answer);
        Assert.Contains("""{"name":"run","switch":"-r","description":"id of the run; 'run list' shows them","mandatory":true,"multiple":false}""", answer);
    }
}
