namespace Rlp.Actors.Hosting;

/// <summary>
/// How a node proves who it is and whom it lets in. The defaults are those of a node that only listens on its own machine; what else would be
/// readable or open on a network is refused unless it is asked for in words.
/// </summary>
public sealed record NodeSecurity
{
    /// <summary>Certificates of remoting (both sides) and of the HTTP endpoint; null: plaintext.</summary>
    public NodeTls? Tls { get; init; }

    /// <summary>A file whose text (white space around it aside) every HTTP request must carry as a bearer token; null: none is asked for.</summary>
    public string? TokenFile { get; init; }

    /// <summary>Allows remoting and HTTP without TLS on an address that other machines can reach.</summary>
    public bool AllowPlaintext { get; init; }
}

/// <summary>The files of a node's certificate and of those it trusts.</summary>
/// <param name="Certificate">The node's certificate, PEM or PKCS#12 (.pfx, .p12).</param>
/// <param name="Key">Its private key, PEM; null: it stands in the file of the certificate.</param>
/// <param name="PasswordFile">A file with the password of the PKCS#12 file or of an encrypted key; null: there is none.</param>
/// <param name="Authorities">PEM certificates of the authorities that sign the nodes' certificates; nobody else's are taken.</param>
public sealed record NodeTls(string Certificate, string? Key, string? PasswordFile, string Authorities);
