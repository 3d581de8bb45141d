using System;
using System.Buffers.Binary;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Reflection;
using System.Text;
using System.Text.RegularExpressions;

namespace Rlp.Architecture.Tests;

/// <summary>
/// The build step that makes TorchSharp's native library load where libstdc++ is older than the one it was linked with, on the real files.
/// What is required and defined is read from the version names inside the files, without the code under test.
/// </summary>
public sealed partial class WeakenLibstdcxxRequirementTests
{
    private const uint VersionSymbols = 0x6fffffff;
    private const uint RelocationsWithAddend = 4;
    private const byte Weak = 2;

    [Fact]
    public void Exactly_the_missing_versions_become_weak_and_nothing_else_changes()
    {
        var (library, libstdcxx) = Files();
        var missing = Versions(library).Except(Versions(libstdcxx)).Order(StringComparer.Ordinal).ToArray();
        AssertOnlyThoseBecomeWeak(library, libstdcxx, missing);
    }

    [Fact]
    public void A_version_that_disappears_from_libstdcxx_becomes_weak_unless_it_is_called()
    {
        var (library, libstdcxx) = Files();
        // Some required version is called by the library and some may not be: take away each and see that one of the two things happens.
        var refused = 0;
        foreach (var version in Versions(library).Intersect(Versions(libstdcxx)))
        {
            var older = Rename(libstdcxx, version, version[..^1] + "x");
            var bytes = library.ToArray();
            try
            {
                Assert.Contains(version, ElfVersions.MarkMissingWeak(bytes, older));
            }
            catch (InvalidDataException e)
            {
                Assert.Contains(version, e.Message);
                refused++;
            }
        }
        Assert.True(refused > 0, "the library calls no versioned symbol at all");
    }

    [Fact]
    public void A_second_call_changes_nothing()
    {
        var (library, libstdcxx) = Files();
        ElfVersions.MarkMissingWeak(library, libstdcxx);
        var once = library.ToArray();
        ElfVersions.MarkMissingWeak(library, libstdcxx);
        Assert.Equal(once, library);
    }

    [Fact]
    public void A_libstdcxx_that_defines_the_versions_leaves_the_file_as_it_is()
    {
        var (library, libstdcxx) = Files();
        var required = Versions(library).ToHashSet();
        foreach (var version in required.Except(Versions(libstdcxx)).ToArray())
        {
            var donor = Versions(libstdcxx).FirstOrDefault(v => v.Length == version.Length && !required.Contains(v));
            if (donor is null) Assert.Skip($"this libstdc++ defines no version whose name could be changed to {version}");
            libstdcxx = Rename(libstdcxx, donor, version);
        }
        var before = library.ToArray();
        Assert.Empty(ElfVersions.MarkMissingWeak(library, libstdcxx));
        Assert.Equal(before, library);
    }

    [Fact]
    public void A_library_that_calls_a_symbol_of_the_missing_version_is_refused()
    {
        var (library, libstdcxx) = Files();
        // A version that is certainly missing: one that no libstdc++ defines, in place of one that the library requires.
        var version = Versions(library).Intersect(Versions(libstdcxx)).First(v => v.StartsWith("GLIBCXX_", StringComparison.Ordinal));
        var unheard = version[..^1] + "x";
        library = Rename(library, version, unheard);
        var index = ElfVersions.Needs(library).Single(n => n.Name == unheard).Index;
        var symbols = Section(library, VersionSymbols);
        var relocations = Section(library, RelocationsWithAddend);
        var symbol = Enumerable.Range(0, relocations.Size / 24)
            .Select(i => BinaryPrimitives.ReadInt32LittleEndian(library.AsSpan(relocations.Offset + (24 * i) + 12))).First(s => s != 0);
        BinaryPrimitives.WriteUInt16LittleEndian(library.AsSpan(symbols.Offset + (2 * symbol)), index);

        var before = library.ToArray();
        Assert.Contains(unheard, Assert.Throws<InvalidDataException>(() => ElfVersions.MarkMissingWeak(library, libstdcxx)).Message);
        Assert.Equal(before, library);
    }

    [Fact]
    public void A_version_that_no_relocation_refers_to_becomes_weak()
    {
        var (library, libstdcxx) = Files();
        var version = Versions(library).Intersect(Versions(libstdcxx)).First(v => v.StartsWith("GLIBCXX_", StringComparison.Ordinal));
        var unheard = version[..^1] + "x";
        library = Rename(library, version, unheard);
        // Every symbol of that version becomes a symbol of no version (index 1, global).
        var index = ElfVersions.Needs(library).Single(n => n.Name == unheard).Index;
        var symbols = Section(library, VersionSymbols);
        for (var at = symbols.Offset; at < symbols.Offset + symbols.Size; at += 2)
            if (BinaryPrimitives.ReadUInt16LittleEndian(library.AsSpan(at)) == index)
                BinaryPrimitives.WriteUInt16LittleEndian(library.AsSpan(at), 1);

        AssertOnlyThoseBecomeWeak(library, libstdcxx, [.. Versions(library).Except(Versions(libstdcxx)).Order(StringComparer.Ordinal)]);
    }

    [Fact]
    public void A_truncated_file_is_refused()
    {
        var (library, libstdcxx) = Files();
        Assert.All(new[] { 0, 4, 63, 64, 1000, library.Length / 2, library.Length - 64 }, length =>
            Assert.Throws<InvalidDataException>(() => ElfVersions.MarkMissingWeak(library[..length], libstdcxx)));
        Assert.All(new[] { 0, 4, 63, 64, 1000, libstdcxx.Length / 2, libstdcxx.Length - 64 }, length =>
            Assert.Throws<InvalidDataException>(() => ElfVersions.MarkMissingWeak(library, libstdcxx[..length])));
    }

    [Fact]
    public void A_file_that_is_not_ELF_is_refused()
    {
        var text = Encoding.ASCII.GetBytes(new string('x', 4096));
        Assert.Throws<InvalidDataException>(() => ElfVersions.MarkMissingWeak(text, text));
    }

    private static void AssertOnlyThoseBecomeWeak(byte[] library, byte[] libstdcxx, string[] missing)
    {
        var before = library.ToArray();
        var weakBefore = ElfVersions.Needs(before).Where(n => n.Weak).Select(n => n.Name).ToHashSet();
        Assert.Equal(missing, ElfVersions.MarkMissingWeak(library, libstdcxx).Order(StringComparer.Ordinal));
        var changed = Enumerable.Range(0, library.Length).Where(i => library[i] != before[i]).ToArray();
        Assert.Equal(missing.Count(m => !weakBefore.Contains(m)), changed.Length);
        Assert.All(changed, i => Assert.Equal(before[i] | Weak, library[i]));
        var becameWeak = ElfVersions.Needs(library).Where(n => n.Weak && !weakBefore.Contains(n.Name)).Select(n => n.Name);
        Assert.Equal(missing, becameWeak.Order(StringComparer.Ordinal));
    }

    private static (byte[] Library, byte[] Libstdcxx) Files()
    {
        var metadata = typeof(WeakenLibstdcxxRequirementTests).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>()
            .ToDictionary(a => a.Key, a => a.Value!);
        var package = Path.Combine(metadata["NuGetPackageRoot"], "torchsharp", metadata["TorchSharpVersion"]);
        var library = Path.Combine(package, "runtimes", "linux-x64", "native", "libLibTorchSharp.so");
        Assert.SkipUnless(File.Exists(library), $"{library} is absent");
        var folders = new[] { "/usr/lib/x86_64-linux-gnu", "/lib/x86_64-linux-gnu", "/usr/lib64", "/lib64", "/usr/lib" };
        var libstdcxx = folders.Select(f => Path.Combine(f, "libstdc++.so.6")).FirstOrDefault(File.Exists);
        Assert.SkipWhen(libstdcxx is null, "this machine has no libstdc++.so.6 in the usual folders");
        return (File.ReadAllBytes(library), File.ReadAllBytes(libstdcxx!));
    }

    /// <summary>The names of libstdc++'s symbol versions that stand in the file as strings of their own.</summary>
    private static IReadOnlyList<string> Versions(byte[] file) =>
        [.. VersionName().Matches(Encoding.Latin1.GetString(file)).Select(m => m.Groups["name"].Value).Distinct()];

    private static byte[] Rename(byte[] file, string from, string to)
    {
        Assert.Equal(from.Length, to.Length);
        return Encoding.Latin1.GetBytes(Encoding.Latin1.GetString(file).Replace($"\0{from}\0", $"\0{to}\0"));
    }

    private static (int Offset, int Size) Section(byte[] elf, uint type)
    {
        var table = (int)BinaryPrimitives.ReadInt64LittleEndian(elf.AsSpan(0x28));
        for (var header = elf.AsSpan(table); header.Length >= 64; header = header[64..])
            if (BinaryPrimitives.ReadUInt32LittleEndian(header[4..]) == type)
                return (BinaryPrimitives.ReadInt32LittleEndian(header[0x18..]), BinaryPrimitives.ReadInt32LittleEndian(header[0x20..]));
        throw new InvalidDataException($"the file has no section of type {type:x}");
    }

    [GeneratedRegex(@"(?<=\0)(?<name>(GLIBCXX|CXXABI)_[0-9.x]+)(?=\0)")]
    private static partial Regex VersionName();
}
