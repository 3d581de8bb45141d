using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;

namespace Rlp.Actors.Hosting;

/// <summary>What <see cref="NodeSecurity"/> names, loaded and found fit: the node's certificate, the authorities it trusts, the token.</summary>
internal sealed class NodeCredentials : IDisposable
{
    private const int ShortestToken = 16;

    private readonly byte[]? tokenSha256;

    private NodeCredentials(X509Certificate2? certificate, X509Certificate2Collection authorities, string? token)
    {
        (Certificate, Authorities, Token) = (certificate, authorities, token);
        tokenSha256 = token is null ? null : SHA256.HashData(Encoding.UTF8.GetBytes(token));
    }

    /// <summary>With its private key; null: plaintext.</summary>
    public X509Certificate2? Certificate { get; }

    public X509Certificate2Collection Authorities { get; }

    /// <summary>What this node's own requests carry; null: nothing.</summary>
    public string? Token { get; }

    /// <summary>Loads what the options name.</summary>
    /// <exception cref="InvalidOperationException">
    /// A file cannot be used, or the node would be open or readable on a network without having been told so. The message names key and remedy.
    /// </exception>
    public static NodeCredentials Load(NodeOptions options)
    {
        var security = options.Security;
        if (!IsLoopback(options.Host))
        {
            if (security is { Tls: null, AllowPlaintext: false })
            {
                throw new InvalidOperationException(
                    $"node.host is '{options.Host}', which other machines can reach, and there is no TLS: everybody there could read and send messages. "
                        + "Set node.tls.certificate, node.tls.key and node.tls.ca, or node.host = \"127.0.0.1\", or, on a network of your own, node.allow-plaintext = true");
            }
            if (options.HttpPort is not null && security.TokenFile is null)
            {
                throw new InvalidOperationException(
                    $"node.host is '{options.Host}', which other machines can reach, and the HTTP endpoint has no token. "
                        + "Set node.token-file to a file with a secret of at least 16 characters, the same on every node");
            }
        }
        if (options.HttpPort is not null && IPAddress.TryParse(options.Host, out var address) && (address.Equals(IPAddress.Any) || address.Equals(IPAddress.IPv6Any)))
            throw new InvalidOperationException($"node.host is '{options.Host}', which other nodes cannot call; expected an address or name of this machine");
        var token = security.TokenFile is null ? null : ReadToken(security.TokenFile);
        if (security.Tls is not { } tls) return new NodeCredentials(null, new X509Certificate2Collection(), token);
        var certificate = ReadCertificate(tls);
        var credentials = new NodeCredentials(certificate, ReadAuthorities(tls.Authorities), token);
        if (DateTime.Now > certificate.NotAfter || DateTime.Now < certificate.NotBefore)
            throw new InvalidOperationException($"node.tls.certificate {tls.Certificate} is valid from {certificate.NotBefore:u} to {certificate.NotAfter:u}, not now; renew it");
        if (!credentials.Trusts(certificate))
            throw new InvalidOperationException($"node.tls.certificate {tls.Certificate} ({certificate.Subject}) is not signed by an authority of node.tls.ca {tls.Authorities}: other nodes would refuse it");
        return credentials;
    }

    /// <summary>True for an address that only this machine reaches.</summary>
    public static bool IsLoopback(string host) =>
        host.Equals("localhost", StringComparison.OrdinalIgnoreCase) || (IPAddress.TryParse(host, out var address) && IPAddress.IsLoopback(address));

    /// <summary>
    /// Whether one of the authorities signed the certificate, and it is valid now. Names are not compared: whoever has a certificate of these
    /// authorities is a node.
    /// </summary>
    public bool Trusts(X509Certificate2? certificate, X509Chain? offered = null)
    {
        if (certificate is null) return false;
        using var chain = new X509Chain();
        chain.ChainPolicy.TrustMode = X509ChainTrustMode.CustomRootTrust;
        chain.ChainPolicy.CustomTrustStore.AddRange(Authorities);
        chain.ChainPolicy.RevocationMode = X509RevocationMode.NoCheck;
        chain.ChainPolicy.DisableCertificateDownloads = true;
        if (offered is not null) chain.ChainPolicy.ExtraStore.AddRange(offered.ChainElements.Select(e => e.Certificate).ToArray());
        return chain.Build(certificate);
    }

    /// <summary>Whether a request's Authorization header holds the token; the time it takes says nothing about how much of it is right.</summary>
    public bool Admits(string? authorization)
    {
        if (tokenSha256 is null) return true;
        const string Scheme = "Bearer ";
        var presented = authorization?.StartsWith(Scheme, StringComparison.OrdinalIgnoreCase) == true ? authorization[Scheme.Length..].Trim() : "";
        return CryptographicOperations.FixedTimeEquals(tokenSha256, SHA256.HashData(Encoding.UTF8.GetBytes(presented)));
    }

    private static string ReadToken(string path)
    {
        var token = Read("node.token-file", path, () => File.ReadAllText(path)).Trim();
        return token.Length >= ShortestToken && token.All(c => c is > ' ' and <= '~')
            ? token
            : throw new InvalidOperationException($"node.token-file {path} holds no usable token; expected at least {ShortestToken} visible ASCII characters without spaces");
    }

    private static X509Certificate2 ReadCertificate(NodeTls tls)
    {
        var password = tls.PasswordFile is null ? null : Read("node.tls.password-file", tls.PasswordFile, () => File.ReadAllText(tls.PasswordFile)).Trim();
        if (tls.Key is not null) Read("node.tls.key", tls.Key, () => File.ReadAllBytes(tls.Key));
        var certificate = Read("node.tls.certificate", tls.Certificate, () => Path.GetExtension(tls.Certificate).ToLowerInvariant() is ".pfx" or ".p12"
            ? X509CertificateLoader.LoadPkcs12FromFile(tls.Certificate, password)
            : password is null
                ? X509Certificate2.CreateFromPemFile(tls.Certificate, tls.Key)
                : X509Certificate2.CreateFromEncryptedPemFile(tls.Certificate, password, tls.Key));
        if (!certificate.HasPrivateKey)
            throw new InvalidOperationException($"node.tls.certificate {tls.Certificate} has no private key; set node.tls.key");
        if (!OperatingSystem.IsWindows()) return certificate;
        using (certificate) return X509CertificateLoader.LoadPkcs12(certificate.Export(X509ContentType.Pkcs12), null); // SChannel takes no key that is only in memory
    }

    private static X509Certificate2Collection ReadAuthorities(string path)
    {
        var authorities = new X509Certificate2Collection();
        Read("node.tls.ca", path, () =>
        {
            authorities.ImportFromPemFile(path);
            return authorities;
        });
        return authorities.Count > 0 ? authorities : throw new InvalidOperationException($"node.tls.ca {path} holds no PEM certificate");
    }

    private static T Read<T>(string key, string path, Func<T> read)
    {
        try
        {
            return read();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or CryptographicException or ArgumentException)
        {
            throw new InvalidOperationException($"{key} {path} cannot be used: {e.Message}", e);
        }
    }

    public void Dispose()
    {
        Certificate?.Dispose();
        foreach (var authority in Authorities) authority.Dispose();
    }
}
