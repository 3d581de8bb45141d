using System.Security.Cryptography;
using System.Text.Json;

namespace Rlp.Corpora;

/// <summary>Digest of the facts that decide the documents of a corpus.</summary>
internal static class CorpusFingerprint
{
    // As a JSON array, so that no two lists of facts have the same text.
    public static string Of(params string[] facts) => Convert.ToHexStringLower(SHA256.HashData(JsonSerializer.SerializeToUtf8Bytes(facts)));
}
