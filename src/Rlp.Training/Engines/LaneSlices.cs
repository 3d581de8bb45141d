namespace Rlp.Training.Engines;

/// <summary>
/// How a step's groups are divided into lanes: consecutive slices as equal as can be, decided by the recipe alone, because the shapes of a
/// batch decide its bits.
/// </summary>
public static class LaneSlices
{
    /// <summary>The range of group indices of each lane, in lane order; lanes beyond the number of groups get none.</summary>
    public static IEnumerable<Range> Of(int groups, int lanes)
    {
        lanes = Math.Min(lanes, groups);
        for (var lane = 0; lane < lanes; lane++)
            yield return (groups * lane / lanes)..(groups * (lane + 1) / lanes);
    }
}
