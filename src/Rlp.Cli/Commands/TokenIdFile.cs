using System.Globalization;

namespace Rlp.Cli.Commands;

/// <summary>A text file of token ids, separated by white space.</summary>
internal static class TokenIdFile
{
    /// <exception cref="InvalidDataException">Absent, empty, not numbers, or outside the vocabulary; the message names the place.</exception>
    public static long[] Read(string path, int vocabularySize)
    {
        if (!File.Exists(path)) throw new InvalidDataException($"{path}: the file does not exist; expected token ids separated by white space");
        var ids = new List<long>();
        var number = 0;
        foreach (var line in File.ReadLines(path))
        {
            number++;
            foreach (var word in line.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries))
            {
                var shown = word.Length <= 40 ? word : word[..40] + "...";
                var place = $"{path}, line {number}, id {ids.Count + 1} of the file";
                if (!long.TryParse(word, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var id))
                    throw new InvalidDataException($"{place}: '{shown}' is no token id; expected a whole number");
                if (id < 0 || id >= vocabularySize)
                    throw new InvalidDataException($"{place}: {shown} is outside the model's vocabulary; expected 0 to {vocabularySize - 1}");
                ids.Add(id);
            }
        }
        return ids.Count > 0 ? [.. ids] : throw new InvalidDataException($"{path} holds no token ids; expected at least one");
    }
}
