using System.Diagnostics;
using System.Globalization;

namespace Rlp.Benchmarks.Measuring;

/// <summary>
/// Ways to do the same work, measured one after the other and then again, so that whatever the machine does beside hits all of them alike.
/// </summary>
internal static class InTurns
{
    /// <summary>One round to warm up, then <paramref name="repeats"/> rounds; what each way returned in each round.</summary>
    /// <param name="what">Told on the error stream, with the values, so that a reader sees what takes long.</param>
    public static double[][] Measure(string what, int repeats, params IReadOnlyList<Func<double>> ways)
    {
        foreach (var way in ways) way();
        var measured = ways.Select(_ => new double[repeats]).ToArray();
        for (var round = 0; round < repeats; round++)
            for (var way = 0; way < ways.Count; way++) measured[way][round] = ways[way]();
        var told = measured.Select(m => string.Join(' ', m.Select(v => v.ToString("G4", CultureInfo.InvariantCulture))));
        Console.Error.WriteLine($"  {what}: {string.Join(" | ", told)}");
        return measured;
    }

    /// <summary>Wall time of one call.</summary>
    public static double Seconds(Action work)
    {
        var started = Stopwatch.GetTimestamp();
        work();
        return Stopwatch.GetElapsedTime(started).TotalSeconds;
    }
}
