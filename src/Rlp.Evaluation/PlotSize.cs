namespace Rlp.Evaluation;

/// <summary>Size of a picture in units of layout, and pixels per unit.</summary>
public readonly record struct PlotSize(int Width, int Height, int Scale)
{
    /// <summary>A picture that stands alone.</summary>
    public static PlotSize File { get; } = new(900, 500, 1);

    /// <summary>A picture in half the width of a page, sharp on screens of double density.</summary>
    public static PlotSize Page { get; } = new(560, 380, 2);
}
