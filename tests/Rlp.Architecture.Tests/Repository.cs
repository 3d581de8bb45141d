using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Xml.Linq;

namespace Rlp.Architecture.Tests;

/// <summary>The repository as files: what the tests of this project look at.</summary>
internal static class Repository
{
    public static string Root { get; } = FindRoot();

    /// <summary>The source projects by name, with their project files.</summary>
    public static IReadOnlyDictionary<string, XDocument> SourceProjects { get; } = Projects("src");

    public static IReadOnlyDictionary<string, XDocument> TestProjects { get; } = Projects("tests");

    /// <summary>The names of the projects that a project file refers to.</summary>
    public static IEnumerable<string> ProjectReferences(XDocument project) =>
        project.Descendants("ProjectReference")
            .Select(r => Path.GetFileNameWithoutExtension(r.Attribute("Include")!.Value.Replace('\\', '/')));

    public static IEnumerable<string> PackageReferences(XDocument project) =>
        project.Descendants("PackageReference").Select(r => r.Attribute("Include")!.Value);

    /// <summary>The C# files below a folder, build outputs left out.</summary>
    public static IEnumerable<string> SourceFiles(string folder) =>
        Directory.EnumerateFiles(Path.Combine(Root, folder), "*.cs", SearchOption.AllDirectories)
            .Where(f => !Path.GetRelativePath(Root, f).Split(Path.DirectorySeparatorChar).Any(s => s is "bin" or "obj"));

    private static Dictionary<string, XDocument> Projects(string folder) =>
        Directory.EnumerateFiles(Path.Combine(Root, folder), "*.csproj", SearchOption.AllDirectories)
            .ToDictionary(f => Path.GetFileNameWithoutExtension(f), f => XDocument.Load(f));

    private static string FindRoot()
    {
        var folder = AppContext.BaseDirectory;
        while (folder is not null && !File.Exists(Path.Combine(folder, "RLP.Akka.sln"))) folder = Path.GetDirectoryName(folder);
        return folder ?? throw new DirectoryNotFoundException($"no folder above {AppContext.BaseDirectory} holds RLP.Akka.sln");
    }
}
