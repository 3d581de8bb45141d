using System.Reflection;
using System.Text;
using ScottPlot;
using SkiaSharp;

namespace Rlp.Evaluation;

/// <summary>
/// Answers every font request of a plot with Inter (SIL Open Font License), carried inside this assembly: a machine without fonts draws
/// text, and all machines draw the same.
/// </summary>
public sealed class InterFont : IFontResolver
{
    private static readonly Lazy<(SKTypeface Regular, SKTypeface Bold)> Typefaces =
        new(() => (Read("Inter-Regular.ttf"), Read("Inter-SemiBold.ttf")));

    private static readonly Lazy<bool> Installation = new(() =>
    {
        Fonts.FontResolvers.Insert(0, new InterFont());
        Fonts.Default = "Inter";
        return true;
    });

    /// <summary>Puts Inter before the fonts of the machine for all plots of this process; later calls change nothing.</summary>
    public static void Install() => _ = Installation.Value;

    public SKTypeface CreateTypeface(string fontName, FontWeight weight, FontSlant slant, FontSpacing spacing) =>
        CreateTypeface(fontName, weight >= FontWeight.SemiBold, slant != FontSlant.Upright);

    public SKTypeface CreateTypeface(string fontName, bool bold, bool italic) => bold ? Typefaces.Value.Bold : Typefaces.Value.Regular;

    // The package keeps its fonts in one manifest resource: Int32 length of the index, then the index (Int32 version 2, Int32 count and,
    // per file, a length-prefixed path, Int32 offset, Int32 size), then the files, their offsets counted from the end of the index.
    private static SKTypeface Read(string file)
    {
        using var stream = PackageAssembly().GetManifestResourceStream("!AvaloniaResources")
            ?? throw Unusable("no resource '!AvaloniaResources'");
        using var reader = new BinaryReader(stream, Encoding.UTF8);
        var files = sizeof(int) + reader.ReadInt32();
        if (reader.ReadInt32() is var version and not 2)
            throw Unusable($"resources of version {version}, not 2");
        for (var left = reader.ReadInt32(); left > 0; left--)
        {
            var (path, offset, size) = (reader.ReadString(), reader.ReadInt32(), reader.ReadInt32());
            if (path != "/Assets/" + file) continue;
            stream.Position = files + offset;
            using var data = SKData.CreateCopy(reader.ReadBytes(size));
            return SKTypeface.FromData(data) ?? throw Unusable($"a '{file}' that is not a font");
        }
        throw Unusable($"no '{file}'");
    }

    private static InvalidDataException Unusable(string found) =>
        new($"the font package has {found}; set InterFontVersion in Directory.Packages.props to a version that this reader knows");

    private static Assembly PackageAssembly()
    {
        using var embedded = typeof(InterFont).Assembly.GetManifestResourceStream("Inter")!;
        using var copy = new MemoryStream();
        embedded.CopyTo(copy);
        return Assembly.Load(copy.ToArray());
    }
}
