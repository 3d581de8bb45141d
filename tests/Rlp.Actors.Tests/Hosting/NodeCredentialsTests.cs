using Rlp.Actors.Hosting;

namespace Rlp.Actors.Tests.Hosting;

/// <summary>A node that would be open or readable on a network, or whose files are of no use, does not start and says why.</summary>
public sealed class NodeCredentialsTests : IDisposable
{
    private readonly TemporaryFolder folder = new();
    private readonly TestAuthority authority;

    public NodeCredentialsTests() => authority = new TestAuthority(folder.Path);

    public void Dispose()
    {
        authority.Dispose();
        folder.Dispose();
    }

    private string Written(string name, string text)
    {
        var path = Path.Combine(folder.Path, name);
        File.WriteAllText(path, text);
        return path;
    }

    private NodeOptions Options(string host, NodeSecurity security, int? httpPort = null) => new()
    {
        RunsFolder = folder.Path,
        Engines = new FakeEngines(),
        Host = host,
        HttpPort = httpPort,
        Security = security,
    };

    private string Refusal(NodeOptions options) => Assert.Throws<InvalidOperationException>(() => NodeCredentials.Load(options)).Message;

    [Theory]
    [InlineData("127.0.0.1")]
    [InlineData("127.0.0.2")]
    [InlineData("localhost")]
    [InlineData("::1")]
    public void On_its_own_machine_a_node_needs_no_certificate_and_no_token(string host) => NodeCredentials.Load(Options(host, new NodeSecurity(), httpPort: 0)).Dispose();

    [Theory]
    [InlineData("192.0.2.1")]
    [InlineData("node.example")]
    [InlineData("0.0.0.0")]
    public void Where_other_machines_reach_it_a_node_needs_certificates_or_a_word(string host)
    {
        Assert.Contains($"node.host is '{host}', which other machines can reach, and there is no TLS", Refusal(Options(host, new NodeSecurity())));
        NodeCredentials.Load(Options(host, new NodeSecurity { AllowPlaintext = true })).Dispose();
        NodeCredentials.Load(Options(host, new NodeSecurity { Tls = authority.Node() })).Dispose();
    }

    [Fact]
    public void Where_other_machines_reach_its_endpoint_a_node_needs_a_token()
    {
        var security = new NodeSecurity { Tls = authority.Node() };
        Assert.Contains("the HTTP endpoint has no token", Refusal(Options("192.0.2.1", security, httpPort: 0)));
        Assert.Contains("the HTTP endpoint has no token", Refusal(Options("192.0.2.1", new NodeSecurity { AllowPlaintext = true }, httpPort: 0)));
        NodeCredentials.Load(Options("192.0.2.1", security with { TokenFile = Written("token", new string('x', 16)) }, httpPort: 0)).Dispose();
    }

    [Fact]
    public void An_endpoint_that_no_other_node_could_call_is_refused() => Assert.Contains(
        "node.host is '0.0.0.0', which other nodes cannot call",
        Refusal(Options("0.0.0.0", new NodeSecurity { Tls = authority.Node(), TokenFile = Written("token", new string('x', 16)) }, httpPort: 0)));

    [Theory]
    [InlineData("")]
    [InlineData("short")]
    [InlineData("a token with spaces in it")]
    public void A_token_that_protects_nothing_is_refused(string token) =>
        Assert.Contains("holds no usable token", Refusal(Options("127.0.0.1", new NodeSecurity { TokenFile = Written("token", token) })));

    [Fact]
    public void Files_that_are_missing_or_of_another_kind_are_named_with_their_key()
    {
        var good = authority.Node();
        var text = Written("text", "no certificate");
        foreach (var (tls, key) in new[]
            {
                (good with { Certificate = "absent" }, "node.tls.certificate absent"),
                (good with { Certificate = text }, $"node.tls.certificate {text}"),
                (good with { Key = "absent" }, "node.tls.key absent"),
                (good with { Key = text }, "node.tls.certificate"),
                (good with { Key = authority.Node("other").Key }, "node.tls.certificate"),
                (good with { PasswordFile = "absent" }, "node.tls.password-file absent"),
                (good with { Authorities = "absent" }, "node.tls.ca absent"),
                (good with { Authorities = text }, $"node.tls.ca {text} holds no PEM certificate"),
            })
            Assert.Contains(key, Refusal(Options("127.0.0.1", new NodeSecurity { Tls = tls })));
        Assert.Contains("node.token-file absent", Refusal(Options("127.0.0.1", new NodeSecurity { TokenFile = "absent" })));
    }

    [Fact]
    public void A_certificate_that_other_nodes_would_refuse_is_refused_at_once()
    {
        using var stranger = new TestAuthority(folder.Path, "stranger");
        Assert.Contains("is not signed by an authority of node.tls.ca", Refusal(Options("127.0.0.1", new NodeSecurity { Tls = stranger.Node() with { Authorities = authority.Certificates } })));
        Assert.Contains("not now; renew it", Refusal(Options("127.0.0.1", new NodeSecurity { Tls = authority.Node("old", validFor: TimeSpan.FromMinutes(-1)) })));
    }
}
