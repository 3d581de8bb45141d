namespace Rlp.Consoles;

/// <summary>The name that somebody who mistyped probably meant.</summary>
public static class NearestName
{
    /// <summary>
    /// The candidate with the smallest edit distance if that is small for the length of the name; else the nearest one with the same last
    /// segment (the right key in the wrong section); else null.
    /// </summary>
    public static string? Of(string name, IEnumerable<string> candidates)
    {
        var ranked = candidates.Select(c => (Name: c, Distance: EditDistance(name, c)))
            .OrderBy(c => c.Distance).ThenBy(c => c.Name, StringComparer.Ordinal).ToList();
        var near = ranked.FirstOrDefault(c => c.Distance <= Math.Max(2, name.Length / 4));
        return near.Name ?? ranked.FirstOrDefault(c => Last(c.Name) == Last(name)).Name;
    }

    /// <summary>"; did you mean 'X'?", or nothing where no candidate is near.</summary>
    public static string Question(string name, IEnumerable<string> candidates) =>
        Of(name, candidates) is { } near ? $"; did you mean '{near}'?" : "";

    /// <summary>Insertions, deletions and replacements of one character that turn one text into the other (Levenshtein).</summary>
    public static int EditDistance(string from, string to)
    {
        var row = Enumerable.Range(0, to.Length + 1).ToArray();
        for (var i = 1; i <= from.Length; i++)
        {
            var diagonal = row[0];
            row[0] = i;
            for (var j = 1; j <= to.Length; j++)
                (diagonal, row[j]) = (row[j], Math.Min(Math.Min(row[j], row[j - 1]) + 1, diagonal + (from[i - 1] == to[j - 1] ? 0 : 1)));
        }
        return row[^1];
    }

    private static string Last(string key) => key[(key.LastIndexOf('.') + 1)..];
}
