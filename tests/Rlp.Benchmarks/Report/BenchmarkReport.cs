using System.Text;
using System.Text.Json;

namespace Rlp.Benchmarks.Report;

/// <summary>The whole record: JSON for programs, and a README.md beside it for readers.</summary>
internal sealed record BenchmarkReport(MachineFacts Machine, bool Quick, int Repeats, IReadOnlyList<SectionReport> Sections)
{
    /// <summary>Writes the JSON to <paramref name="path"/>, and README.md into the same folder.</summary>
    public void Write(string path)
    {
        var folder = Path.GetDirectoryName(Path.GetFullPath(path))!;
        Directory.CreateDirectory(folder);
        File.WriteAllText(path, JsonSerializer.Serialize(this, BenchmarkJson.Options) + "\n");
        File.WriteAllText(Path.Combine(folder, "README.md"), Markdown(Path.GetFileName(path)));
    }

    /// <summary>What <see cref="Write"/> wrote.</summary>
    public static BenchmarkReport Read(string path) => JsonSerializer.Deserialize<BenchmarkReport>(File.ReadAllText(path), BenchmarkJson.Options)!;

    private string Markdown(string file)
    {
        var text = new StringBuilder()
            .Append("# Recorded figures\n\n")
            .Append($"Written together with [{file}]({file}) by\n\n```\n")
            .Append("dotnet run -c Release --project tests/Rlp.Benchmarks -- ")
            .Append($"{(Sections.Count == 1 ? Sections[0].Section : "all")}{(Quick ? " --quick" : "")} ")
            .Append($"--output tests/Rlp.Benchmarks/results/{file}\n")
            .Append("```\n\n")
            .Append(Sections.Any(s => s.Section == "decode") ? $"The peer of the section `decode` is fetched once by\n\n```\n{LlamaCpp.Fetch}\n```\n\n" : "")
            .Append($"Medians of {Repeats}; ratios are ours divided by the other's value. ").Append(Machine.Text()).Append(".\n");
        if (Quick) text.Append("\nQUICK: small sizes, a smoke test and no result.\n");
        foreach (var section in Sections)
        {
            text.Append($"\n## {section.Section}\n");
            foreach (var table in section.Tables) text.Append($"\n{table.Title}:\n\n").Append(table.Markdown());
            if (section.Notes.Count > 0) text.Append('\n');
            foreach (var note in section.Notes) text.Append($"- {note}\n");
        }
        return text.ToString();
    }
}
