using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Reflection.Metadata;
using System.Reflection.PortableExecutable;

namespace Rlp.Architecture.Tests;

/// <summary>
/// Who may refer to whom. Asked of the project files (what could be used) and of the compiled assemblies (what is used, through other
/// projects as well).
/// </summary>
public sealed class ReferenceTests
{
    /// <summary>The floors of the house, lowest first. A project refers only to projects of lower floors.</summary>
    private static readonly string[][] Floors =
    [
        ["Rlp.Objective", "Rlp.Corpora"],
        ["Rlp.Models"],
        ["Rlp.Training", "Rlp.Protocol"],
        ["Rlp.Evaluation", "Rlp.Actors", "Rlp.Console", "Rlp.Dashboard"],
        ["Rlp.Pbm"],
        ["Rlp.Cli"],
    ];

    /// <summary>The numerical side knows no actors; messages, and what a console makes of them, know neither actors nor tensors.</summary>
    private static readonly string[] WithoutAkka =
        ["Rlp.Objective", "Rlp.Corpora", "Rlp.Models", "Rlp.Training", "Rlp.Evaluation", "Rlp.Protocol", "Rlp.Console"];

    private static readonly string[] WithoutTensors = ["Rlp.Protocol", "Rlp.Corpora", "Rlp.Console"];

    private static readonly string[] WithoutOtherProjects = ["Rlp.Objective", "Rlp.Protocol", "Rlp.Corpora"];

    /// <summary>For packages that Rlp.Pbm refers to and no feed serves here.</summary>
    private const string StandIn = "Petabridge.Cmd.StandIn";

    public static TheoryData<string> SourceProjects() => [.. Repository.SourceProjects.Keys.Order(StringComparer.Ordinal)];

    [Theory]
    [MemberData(nameof(SourceProjects))]
    public void Every_project_stands_on_a_floor(string project) => Assert.Single(Floors, f => f.Contains(project));

    [Theory]
    [MemberData(nameof(SourceProjects))]
    public void References_run_downward_only(string project)
    {
        var floor = Floor(project);
        var written = Repository.ProjectReferences(Repository.SourceProjects[project]);
        Assert.All(written.Where(r => r != StandIn), r => Assert.True(Floor(r) < floor, $"{project}.csproj refers to {r}"));
        Assert.All(AssemblyReferences(project).Where(IsOurs), r => Assert.True(Floor(r) < floor, $"{project} uses types of {r}"));
    }

    [Fact]
    public void The_lowest_projects_refer_to_no_other_project() => Assert.All(WithoutOtherProjects, project =>
    {
        Assert.Empty(Repository.ProjectReferences(Repository.SourceProjects[project]));
        Assert.DoesNotContain(AssemblyReferences(project), IsOurs);
    });

    [Fact]
    public void Palettes_know_nothing_but_messages() => Assert.Equal(["Rlp.Protocol"], Repository.ProjectReferences(Repository.SourceProjects["Rlp.Console"]));

    [Fact]
    public void The_program_has_pbm_only_where_it_is_built_with_it()
    {
        Assert.Equal(["Rlp.Pbm"], Repository.SourceProjects.Keys.Where(p => Repository.ProjectReferences(Repository.SourceProjects[p]).Contains(StandIn)));
        Assert.DoesNotContain(AssemblyReferences("Rlp.Cli"), r => r is "Rlp.Pbm");
        var shipped = File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "rlp.deps.json"));
        Assert.Contains("Rlp.Console", shipped);
        Assert.DoesNotContain("Petabridge", shipped);
    }

    [Fact]
    public void The_objective_knows_nothing_but_tensors()
    {
        Assert.Empty(Repository.PackageReferences(Repository.SourceProjects["Rlp.Objective"]));
        Assert.Equal(["TorchSharp"], AssemblyReferences("Rlp.Objective").Where(r => !IsPlatform(r)));
    }

    [Fact]
    public void Engines_and_messages_know_no_actors() => Assert.All(WithoutAkka, project =>
    {
        Assert.DoesNotContain(Repository.PackageReferences(Repository.SourceProjects[project]), IsAkka);
        Assert.DoesNotContain(AssemblyReferences(project), IsAkka);
    });

    [Fact]
    public void Messages_corpora_and_palettes_know_no_tensors() => Assert.All(WithoutTensors, project =>
    {
        var file = Repository.SourceProjects[project];
        Assert.DoesNotContain(Repository.PackageReferences(file), IsTensors);
        Assert.DoesNotContain(file.Descendants("UsesTorch"), e => e.Value == "true");
        Assert.DoesNotContain(AssemblyReferences(project), IsTensors);
    });

    private static int Floor(string project)
    {
        var floor = Array.FindIndex(Floors, f => f.Contains(project));
        Assert.True(floor >= 0, $"{project} stands on no floor; give it one in {nameof(ReferenceTests)}");
        return floor;
    }

    private static bool IsOurs(string assembly) => assembly == "rlp" || assembly.StartsWith("Rlp.", StringComparison.Ordinal);

    private static bool IsAkka(string name) => name == "Akka" || name.StartsWith("Akka.", StringComparison.Ordinal);

    private static bool IsTensors(string name) => name.StartsWith("TorchSharp", StringComparison.Ordinal);

    private static bool IsPlatform(string assembly) =>
        assembly is "netstandard" or "mscorlib"
        || assembly.StartsWith("System.", StringComparison.Ordinal)
        || assembly.StartsWith("Microsoft.Win32.", StringComparison.Ordinal);

    private static List<string> AssemblyReferences(string project)
    {
        var name = Repository.SourceProjects[project].Descendants("AssemblyName").SingleOrDefault()?.Value ?? project;
        using var file = File.OpenRead(Path.Combine(AppContext.BaseDirectory, name + ".dll"));
        using var image = new PEReader(file);
        var metadata = image.GetMetadataReader();
        return [.. metadata.AssemblyReferences.Select(r => metadata.GetString(metadata.GetAssemblyReference(r).Name))];
    }
}
