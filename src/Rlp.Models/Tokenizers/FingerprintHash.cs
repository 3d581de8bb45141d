using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;

namespace Rlp.Models.Tokenizers;

/// <summary>
/// SHA-256 over a list of texts and numbers; every part is hashed with its length, so that no two lists run into each other.
/// </summary>
internal sealed class FingerprintHash
{
    private readonly IncrementalHash hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);

    public FingerprintHash Add(string? text)
    {
        if (text is null) return Add(-1);
        var bytes = Encoding.UTF8.GetBytes(text);
        Add(bytes.Length);
        hash.AppendData(bytes);
        return this;
    }

    public FingerprintHash Add(long number)
    {
        Span<byte> bytes = stackalloc byte[sizeof(long)];
        BinaryPrimitives.WriteInt64LittleEndian(bytes, number);
        hash.AppendData(bytes);
        return this;
    }

    /// <summary>Lower-case hexadecimal.</summary>
    public string Finish()
    {
        using (hash) return Convert.ToHexStringLower(hash.GetHashAndReset());
    }
}
