using Rlp.Consoles.Palettes;

namespace Rlp.Consoles;

/// <summary>Everything that a console can be asked.</summary>
public static class ConsolePalettes
{
    public static IReadOnlyList<Palette> All { get; } =
    [
        RunPalette.Create(), WorkerPalette.Create(), DevicePalette.Create(), LanePalette.Create(), MetricsPalette.Create(), ThoughtPalette.Create(),
        CheckpointPalette.Create(), ClusterPalette.Create(), JournalPalette.Create(),
    ];
}
