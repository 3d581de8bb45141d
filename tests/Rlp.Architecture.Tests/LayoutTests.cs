using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Text.RegularExpressions;

namespace Rlp.Architecture.Tests;

/// <summary>Where things stand in the repository.</summary>
public sealed partial class LayoutTests
{
    private static readonly string[] TopLevel =
    [
        "src", "hocon", "tests", "deploy", "RLP.Akka.sln", "README.md", "LICENSE", "global.json",
        "Directory.Build.props", "Directory.Build.targets", "Directory.Packages.props",
    ];

    /// <summary>What builds and runs leave behind; .gitignore names them too.</summary>
    private static readonly string[] Outputs = ["artifacts", "runs", "TestResults", "bin", "obj"];

    /// <summary>The one name that a project has and no namespace can have: within Rlp it would stand for System.Console.</summary>
    private const string HidingSystemConsole = "Rlp.Console";

    private const string HidingNothing = "Rlp.Consoles";

    /// <summary>The one project that is not of this house: it has the namespaces of the packages whose place it takes.</summary>
    private const string StandIn = "Petabridge.Cmd.StandIn";

    private const string StoodInFor = "Petabridge.Cmd";

    [Fact]
    public void The_top_level_holds_nothing_unexpected() => Assert.Empty(
        Directory.EnumerateFileSystemEntries(Repository.Root).Select(e => Path.GetFileName(e)!)
            .Where(e => !e.StartsWith('.') && !e.EndsWith(".user", StringComparison.Ordinal)).Except(TopLevel).Except(Outputs));

    [Fact]
    public void Every_source_project_has_a_test_project_that_refers_to_it() => Assert.All(Repository.SourceProjects.Keys, project =>
    {
        Assert.True(Repository.TestProjects.TryGetValue(project + ".Tests", out var tests), $"tests/{project}.Tests is missing");
        Assert.Contains(project, Repository.ProjectReferences(tests));
    });

    [Fact]
    public void Every_project_is_part_of_the_solution()
    {
        var solution = File.ReadAllText(Path.Combine(Repository.Root, "RLP.Akka.sln"));
        Assert.All(Repository.SourceProjects.Keys.Concat(Repository.TestProjects.Keys), p => Assert.Contains($"\"{p}\"", solution));
    }

    [Fact]
    public void Projects_are_named_after_their_folder() => Assert.All(new[] { "src", "tests" }, folder =>
        Assert.All(Directory.EnumerateFiles(Path.Combine(Repository.Root, folder), "*.csproj", SearchOption.AllDirectories), file =>
        {
            var name = Path.GetFileNameWithoutExtension(file);
            if (name != StandIn) Assert.StartsWith("Rlp.", name);
            Assert.Equal(Path.Combine(Repository.Root, folder, name), Path.GetDirectoryName(file));
        }));

    [Fact]
    public void Namespaces_are_the_project_and_the_folder()
    {
        var wrong = new List<string>();
        var seen = 0;
        foreach (var folder in new[] { "src", "tests" })
            foreach (var file in Repository.SourceFiles(folder))
            {
                var path = Path.GetRelativePath(Path.Combine(Repository.Root, folder), file);
                var expected = Path.GetDirectoryName(path)!.Replace(Path.DirectorySeparatorChar, '.')
                    .Replace(HidingSystemConsole, HidingNothing).Replace(StandIn, StoodInFor);
                foreach (Match declared in Namespace().Matches(File.ReadAllText(file)))
                {
                    var name = declared.Groups["name"].Value;
                    seen++;
                    if (name != expected) wrong.Add($"{folder}/{path} declares {name}, expected {expected}");
                }
            }
        Assert.Empty(wrong);
        Assert.True(seen > 10, $"only {seen} namespaces were found");
    }

    [GeneratedRegex(@"^namespace\s+(?<name>[\w.]+)", RegexOptions.Multiline)]
    private static partial Regex Namespace();
}
