using ScottPlot;

namespace Rlp.Evaluation;

/// <summary>Colours of a plot. The series' colours (Okabe and Ito 2008) can be told apart with every kind of colour vision.</summary>
public sealed record PlotTheme(Color Background, Color Text, Color Grid, Color Rlp, Color Cpt, Color CptThoughts, Color Neutral)
{
    public static PlotTheme Light { get; } = new(
        Color.FromHex("#ffffff"), Color.FromHex("#24292f"), Color.FromHex("#e6e8eb"),
        Rlp: Color.FromHex("#0072b2"), Cpt: Color.FromHex("#d55e00"),
        CptThoughts: Color.FromHex("#009e73"), Neutral: Color.FromHex("#6e7781"));

    public static PlotTheme Dark { get; } = new(
        Color.FromHex("#161b22"), Color.FromHex("#e6edf3"), Color.FromHex("#2b323b"),
        Rlp: Color.FromHex("#56b4e9"), Cpt: Color.FromHex("#e69f00"),
        CptThoughts: Color.FromHex("#2fc79a"), Neutral: Color.FromHex("#9aa4af"));

    public Color Of(string stage) => stage switch
    {
        "rlp" => Rlp,
        "cpt" => Cpt,
        "cpt_thoughts" => CptThoughts,
        _ => Neutral,
    };
}
