using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;

namespace Rlp.Models.Weights;

/// <summary>
/// Which model a folder holds, without reading it whole: a digest over config.json, each weight file's name and length, and each tensor's
/// name, type, shape and some of its bytes.
/// </summary>
/// <remarks>
/// Two trainings of one architecture differ in nearly every tensor, so a few bytes of each tell them apart in milliseconds where gigabytes
/// would take minutes. It is no proof of integrity: a byte that changed elsewhere does not show here, but in the digest of the parameters
/// that every step journals.
/// </remarks>
internal static class ModelIdentity
{
    private const int Sample = 256; // bytes, at the beginning and in the middle of a tensor

    /// <summary>Lower-case hexadecimal SHA-256.</summary>
    public static string Of(string config, WeightFiles weights)
    {
        using var sha = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        Add(sha, config);
        var sample = new byte[Sample];
        foreach (var file in weights.Files.OrderBy(f => Path.GetFileName(f.Path), StringComparer.Ordinal))
        {
            Add(sha, Path.GetFileName(file.Path));
            Add(sha, file.Length);
            using var bytes = File.OpenHandle(file.Path);
            foreach (var tensor in file.Tensors.Values.OrderBy(t => t.Begin).ThenBy(t => t.Name, StringComparer.Ordinal))
            {
                Add(sha, tensor.Name);
                Add(sha, tensor.ToString());
                foreach (var begin in new[] { tensor.Begin, tensor.Begin + ((tensor.End - tensor.Begin) / 2) })
                {
                    var length = (int)Math.Min(Sample, tensor.End - begin);
                    sha.AppendData(sample, 0, RandomAccess.Read(bytes, sample.AsSpan(0, length), begin));
                }
            }
        }
        return Convert.ToHexStringLower(sha.GetHashAndReset());
    }

    private static void Add(IncrementalHash sha, string text)
    {
        Add(sha, text.Length);
        sha.AppendData(Encoding.UTF8.GetBytes(text));
    }

    private static void Add(IncrementalHash sha, long number)
    {
        Span<byte> bytes = stackalloc byte[sizeof(long)];
        BinaryPrimitives.WriteInt64LittleEndian(bytes, number);
        sha.AppendData(bytes);
    }
}
