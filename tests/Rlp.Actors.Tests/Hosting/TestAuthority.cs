using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Rlp.Actors.Hosting;

namespace Rlp.Actors.Tests.Hosting;

/// <summary>A certificate authority that a test makes, and the files of nodes that it signs for.</summary>
internal sealed class TestAuthority : IDisposable
{
    private readonly string folder;
    private readonly X509Certificate2 root;

    public TestAuthority(string folder, string name = "authority")
    {
        this.folder = Path.Combine(folder, name);
        Directory.CreateDirectory(this.folder);
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest($"CN={name}", key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(certificateAuthority: true, hasPathLengthConstraint: false, 0, critical: true));
        root = request.CreateSelfSigned(DateTimeOffset.UtcNow.AddHours(-1), DateTimeOffset.UtcNow.AddHours(1));
        File.WriteAllText(Certificates, root.ExportCertificatePem());
    }

    /// <summary>What node.tls.ca names.</summary>
    public string Certificates => Path.Combine(folder, "ca.pem");

    /// <summary>The files of a node whose certificate this authority signs.</summary>
    public NodeTls Node(string name = "node", TimeSpan? validFor = null)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest($"CN={name}", key, HashAlgorithmName.SHA256);
        var names = new SubjectAlternativeNameBuilder();
        names.AddIpAddress(IPAddress.Loopback);
        request.CertificateExtensions.Add(names.Build());
        using var certificate = request.Create(
            root, DateTimeOffset.UtcNow.AddMinutes(-30), DateTimeOffset.UtcNow + (validFor ?? TimeSpan.FromMinutes(30)), RandomNumberGenerator.GetBytes(8));
        var path = Path.Combine(folder, name);
        File.WriteAllText(path + ".pem", certificate.ExportCertificatePem());
        File.WriteAllText(path + ".key", key.ExportPkcs8PrivateKeyPem());
        return new NodeTls(path + ".pem", path + ".key", null, Certificates);
    }

    public void Dispose() => root.Dispose();
}
