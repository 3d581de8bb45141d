using System.Diagnostics;
using System.Net;
using System.Net.Http.Headers;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Rlp.Chaos.Tests;

/// <summary>
/// Every node in a network namespace with an address of its own, joined to the others and to this process by a bridge. Remoting and HTTP have TLS,
/// with certificates of an authority made here, and a token. Needs root and `ip` of iproute2.
/// </summary>
internal sealed class NetworkNamespaces : ClusterPlace
{
    private static readonly string? Ip = Array.Find(["/usr/sbin/ip", "/sbin/ip", "/usr/bin/ip", "/bin/ip"], File.Exists);

    private readonly string prefix = $"rlp{Environment.ProcessId}"; // names of interfaces hold 15 characters
    private readonly string subnet = $"198.{18 + Environment.ProcessId / 256 % 2}.{Environment.ProcessId % 256}"; // RFC 2544: of no network that is in use
    private readonly string folder = Directory.CreateTempSubdirectory("rlp-places-").FullName;
    private readonly string[] nodes;
    private readonly HashSet<string> away = [];
    private readonly X509Certificate2 authority;
    private readonly string token = Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(16));

    public NetworkNamespaces(IEnumerable<string> nodes)
    {
        this.nodes = [.. nodes];
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=authority", key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(certificateAuthority: true, hasPathLengthConstraint: false, 0, critical: true));
        authority = request.CreateSelfSigned(DateTimeOffset.UtcNow.AddHours(-1), DateTimeOffset.UtcNow.AddDays(1));
        File.WriteAllText(Authorities, authority.ExportCertificatePem());
        File.WriteAllText(TokenFile, token);
        foreach (var bridge in (string[])[Bridge, Elsewhere])
        {
            Run("link", "add", bridge, "type", "bridge");
            Run("link", "set", bridge, "up");
        }
        Run("address", "add", $"{subnet}.1/24", "dev", Bridge);
        foreach (var node in this.nodes)
        {
            Certify(node);
            Run("netns", "add", Namespace(node));
            Run("link", "add", Cable(node), "type", "veth", "peer", "name", "eth0", "netns", Namespace(node));
            Run("-n", Namespace(node), "address", "add", $"{HostOf(node)}/24", "dev", "eth0");
            Run("-n", Namespace(node), "link", "set", "lo", "up");
            Run("-n", Namespace(node), "link", "set", "eth0", "up");
            Run("link", "set", Cable(node), "master", Bridge, "up");
        }
    }

    public override string Scheme => "https";

    public override (string TokenFile, string Authorities)? Pass => (TokenFile, Authorities);

    public override string CleanUp => string.Join("; ",
        [.. nodes.Select(node => $"{Ip} link delete {Cable(node)}; {Ip} netns delete {Namespace(node)}"), $"{Ip} link delete {Bridge}", $"{Ip} link delete {Elsewhere}"]);

    private string Authorities => Path.Combine(folder, "ca.pem");

    private string TokenFile => Path.Combine(folder, "token");

    private string Bridge => $"{prefix}-0";

    private string Elsewhere => $"{prefix}-1";

    /// <summary>Why there can be no namespaces here; null where there can.</summary>
    public static string? Missing()
    {
        if (!OperatingSystem.IsLinux() || !Environment.IsPrivilegedProcess) return "network namespaces need Linux and root";
        if (Ip is null) return "network namespaces need `ip` (iproute2)";
        var probe = $"rlp{Environment.ProcessId}-probe";
        var problem = Try("netns", "add", probe) ?? Try("-n", probe, "link", "add", "probe", "type", "bridge");
        Try("netns", "delete", probe);
        return problem;
    }

    public override string HostOf(string node) => $"{subnet}.{Array.IndexOf(nodes, node) + 11}";

    public override string[] Enter(string node) => [Ip!, "netns", "exec", Namespace(node)];

    public override string SecurityOf(string node) =>
        $"tls {{ certificate = \"{folder}/{node}.pem\", key = \"{folder}/{node}.key\", ca = \"{Authorities}\" }}, token-file = \"{TokenFile}\"";

    public override bool Reaches(string node) => !away.Contains(node);

    /// <summary>Moves nodes to a network of their own: they reach each other, and nobody else.</summary>
    public void Cut(IReadOnlyCollection<string> side)
    {
        foreach (var node in side) Run("link", "set", Cable(node), "master", Elsewhere);
        away.UnionWith(side);
    }

    public void Heal()
    {
        foreach (var node in away) Run("link", "set", Cable(node), "master", Bridge);
        away.Clear();
    }

    public override HttpClient Connect()
    {
        var handler = new SocketsHttpHandler { ConnectTimeout = TimeSpan.FromSeconds(5) };
        handler.SslOptions.CertificateChainPolicy = new X509ChainPolicy { TrustMode = X509ChainTrustMode.CustomRootTrust, RevocationMode = X509RevocationMode.NoCheck };
        handler.SslOptions.CertificateChainPolicy.CustomTrustStore.Add(authority);
        return new HttpClient(handler) { DefaultRequestHeaders = { Authorization = new AuthenticationHeaderValue("Bearer", token) } };
    }

    public override void Dispose()
    {
        authority.Dispose();
        Directory.Delete(folder, recursive: true);
    }

    private string Namespace(string node) => $"{prefix}-{node}";

    private string Cable(string node) => $"{prefix}{node}";

    private void Certify(string node)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest($"CN={node}", key, HashAlgorithmName.SHA256);
        var names = new SubjectAlternativeNameBuilder();
        names.AddIpAddress(IPAddress.Parse(HostOf(node)));
        request.CertificateExtensions.Add(names.Build());
        using var certificate = request.Create(authority, authority.NotBefore, authority.NotAfter, RandomNumberGenerator.GetBytes(8));
        File.WriteAllText(Path.Combine(folder, node + ".pem"), certificate.ExportCertificatePem());
        File.WriteAllText(Path.Combine(folder, node + ".key"), key.ExportPkcs8PrivateKeyPem());
    }

    private static void Run(params string[] arguments)
    {
        if (Try(arguments) is { } problem) throw new InvalidOperationException(problem);
    }

    private static string? Try(params string[] arguments)
    {
        using var process = Process.Start(new ProcessStartInfo(Ip!, arguments) { RedirectStandardError = true })!;
        var error = process.StandardError.ReadToEnd();
        process.WaitForExit();
        return process.ExitCode == 0 ? null : $"ip {string.Join(" ", arguments)}: {error.Trim()}";
    }
}
