using System.Text;

namespace Rlp.Models.Tokenizers;

/// <summary>
/// The alphabet in which byte-level vocabularies write bytes: printable Latin-1 characters stand for themselves, the other 68 bytes for
/// U+0100 and the following characters (GPT-2, bytes_to_unicode).
/// </summary>
internal static class ByteAlphabet
{
    private static readonly char[] Characters = Alphabet();
    private static readonly short[] Bytes = Inverse();

    public static char Character(byte value) => Characters[value];

    public static string Write(ReadOnlySpan<byte> bytes)
    {
        var text = new StringBuilder(bytes.Length);
        foreach (var value in bytes) text.Append(Characters[value]);
        return text.ToString();
    }

    /// <summary>
    /// The bytes of a vocabulary entry; an entry with a character outside the alphabet stands for its own UTF-8, as in the reference
    /// library.
    /// </summary>
    public static byte[] Read(string entry, out bool inAlphabet)
    {
        var bytes = new byte[entry.Length];
        for (var i = 0; i < entry.Length; i++)
        {
            var value = entry[i] < Bytes.Length ? Bytes[entry[i]] : (short)-1;
            if (value < 0)
            {
                inAlphabet = false;
                return Encoding.UTF8.GetBytes(entry);
            }
            bytes[i] = (byte)value;
        }
        inAlphabet = true;
        return bytes;
    }

    private static char[] Alphabet()
    {
        var characters = new char[256];
        var next = (char)256;
        for (var value = 0; value < 256; value++)
            characters[value] = value is (>= '!' and <= '~') or (>= 0xA1 and <= 0xAC) or (>= 0xAE and <= 0xFF) ? (char)value : next++;
        return characters;
    }

    private static short[] Inverse()
    {
        var bytes = new short[256 + 68];
        Array.Fill(bytes, (short)-1);
        for (var value = 0; value < 256; value++) bytes[Characters[value]] = (short)value;
        return bytes;
    }
}
