using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace Rlp.Models.Hub;

/// <summary>The checksums that a hub names in its ETags.</summary>
internal static class ContentDigest
{
    /// <summary>Whether <see cref="Compute"/> can check such a tag.</summary>
    public static bool IsKnown(string tag) => tag.Length is 64 or 40 && tag.All(char.IsAsciiHexDigit);

    /// <summary>
    /// The digest of a file in the kind of the tag: the SHA-256 of its content (large files), or the SHA-1 of it as a git blob.
    /// </summary>
    public static string Compute(string path, string tag)
    {
        using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read, 1 << 20);
        if (tag.Length == 64) return Convert.ToHexStringLower(SHA256.HashData(file));
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA1);
        hash.AppendData(Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture, $"blob {file.Length}\0")));
        var buffer = new byte[1 << 16];
        for (int read; (read = file.Read(buffer)) > 0;) hash.AppendData(buffer, 0, read);
        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }

    /// <summary>An ETag without its quotes and its mark of weakness, in lower case where it is a digest.</summary>
    public static string Bare(string tag)
    {
        tag = tag.StartsWith("W/", StringComparison.Ordinal) ? tag[2..] : tag;
        tag = tag.Trim('"');
        return IsKnown(tag) ? tag.ToLowerInvariant() : tag;
    }
}
