#nullable disable

using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Text;
using Microsoft.Build.Framework;
using Microsoft.Build.Utilities;

/// <summary>
/// Copies libLibTorchSharp.so to where the solution loads it from. Where this machine's libstdc++ lacks a symbol version that the file
/// asks for, that requirement (a vernaux entry of .gnu.version_r) is marked VER_FLG_WEAK in the copy, which lets the loader go on without it.
/// Refused when a relocation refers to a symbol of the missing version: such a copy would crash at its first call instead of at load.
/// </summary>
public sealed class WeakenLibstdcxxRequirement : Task
{
    public string Source { get; set; }

    public string Destination { get; set; }

    public override bool Execute()
    {
        try
        {
            if (!File.Exists(Source))
            {
                Log.LogError("The TorchSharp native library is missing: {0}. Run 'dotnet restore' and build again.", Source);
                return false;
            }

            var bytes = File.ReadAllBytes(Source);
            var libstdcxx = LocateLibstdcxx();
            if (libstdcxx == null)
                Log.LogMessage(MessageImportance.High, "libstdc++.so.6 was not found in the usual folders; {0} is copied as it is.", Source);
            else
                foreach (var version in ElfVersions.MarkMissingWeak(bytes, File.ReadAllBytes(libstdcxx)))
                    Log.LogMessage(MessageImportance.Normal, "{0} is not in {1}; its requirement is weak in {2}", version, libstdcxx, Destination);

            Directory.CreateDirectory(Path.GetDirectoryName(Destination));
            // Projects build side by side: each writes a file of its own, the last rename wins, and all of them hold the same bytes.
            var temporary = Destination + "." + Guid.NewGuid().ToString("N");
            File.WriteAllBytes(temporary, bytes);
            if (File.Exists(Destination)) File.Replace(temporary, Destination, null);
            else File.Move(temporary, Destination);
            return true;
        }
        catch (IOException) when (File.Exists(Destination))
        {
            return true; // another project's build put the same bytes there first
        }
        catch (Exception e) when (e is InvalidDataException || e is IOException || e is UnauthorizedAccessException)
        {
            Log.LogError("TorchSharp's native library cannot be made to load on this machine: {0} Install a libstdc++ of gcc 13 or newer; .build/Torch.targets explains why.", e.Message);
            return false;
        }
    }

    private static string LocateLibstdcxx()
    {
        var folders = new[] { "/usr/lib/x86_64-linux-gnu", "/lib/x86_64-linux-gnu", "/usr/lib64", "/lib64", "/usr/lib", "/usr/local/lib64" };
        return folders.Select(f => Path.Combine(f, "libstdc++.so.6")).FirstOrDefault(File.Exists);
    }
}

/// <summary>Reads and edits the symbol version requirements of 64-bit little-endian ELF files.</summary>
public static class ElfVersions
{
    private const uint VersionNeeds = 0x6ffffffe; // SHT_GNU_verneed
    private const uint VersionSymbols = 0x6fffffff; // SHT_GNU_versym
    private const uint VersionDefinitions = 0x6ffffffd; // SHT_GNU_verdef
    private const uint RelocationsWithAddend = 4; // SHT_RELA
    private const ushort FlagWeak = 0x2; // VER_FLG_WEAK

    /// <summary>
    /// Marks weak, in place, each version that <paramref name="library"/> requires of libstdc++.so.6 and that the given libstdc++ does not
    /// define. Returns the names of those versions; empty when nothing is missing. A second call changes nothing.
    /// </summary>
    /// <exception cref="InvalidDataException">Not an ELF64 file, or a relocation refers to a symbol of the missing version.</exception>
    public static IReadOnlyList<string> MarkMissingWeak(byte[] library, byte[] libstdcxx)
    {
        var defined = new HashSet<string>(DefinedVersions(libstdcxx));
        var missing = new List<string>();
        foreach (var need in Needs(library).Where(n => n.File == "libstdc++.so.6" && !defined.Contains(n.Name)))
        {
            if (RelocatedVersions(library).Contains(need.Index))
                throw new InvalidDataException($"the library calls a symbol of {need.Name}, which the libstdc++ of this machine does not define.");
            library[need.FlagsOffset] |= (byte)FlagWeak;
            missing.Add(need.Name);
        }
        return missing;
    }

    public sealed class Need
    {
        public string File { get; set; }
        public string Name { get; set; }
        public ushort Index { get; set; }
        public int FlagsOffset { get; set; }
        public bool Weak { get; set; }
    }

    /// <summary>The version requirements of the file: needed library, version name, and whether it is weak.</summary>
    public static IReadOnlyList<Need> Needs(byte[] elf)
    {
        var needs = new List<Need>();
        foreach (var section in Sections(elf).Where(s => s.Type == VersionNeeds))
        {
            // Elf64_Verneed: version, cnt (16 bit), file, aux, next (32 bit); Elf64_Vernaux: hash (32), flags, other (16), name, next (32).
            for (var at = section.Offset; ;)
            {
                var file = Text(elf, section.Strings + ReadUInt32(elf, at + 4));
                var count = ReadUInt16(elf, at + 2);
                var aux = at + ReadUInt32(elf, at + 8);
                for (var i = 0; i < count; i++)
                {
                    needs.Add(new Need
                    {
                        File = file,
                        Name = Text(elf, section.Strings + ReadUInt32(elf, aux + 8)),
                        Index = ReadUInt16(elf, aux + 6),
                        FlagsOffset = checked((int)(aux + 4)),
                        Weak = (ReadUInt16(elf, aux + 4) & FlagWeak) != 0,
                    });
                    aux += ReadUInt32(elf, aux + 12);
                }
                var next = ReadUInt32(elf, at + 12);
                if (next == 0) break;
                at += next;
            }
        }
        return needs;
    }

    private static IEnumerable<string> DefinedVersions(byte[] elf)
    {
        foreach (var section in Sections(elf).Where(s => s.Type == VersionDefinitions))
        {
            // Elf64_Verdef: version, flags, ndx, cnt (16 bit), hash, aux, next (32 bit); Elf64_Verdaux: name, next.
            for (var at = section.Offset; ;)
            {
                yield return Text(elf, section.Strings + ReadUInt32(elf, at + ReadUInt32(elf, at + 12)));
                var next = ReadUInt32(elf, at + 16);
                if (next == 0) break;
                at += next;
            }
        }
    }

    /// <summary>The version indices of the symbols that some relocation refers to: what the library can really call.</summary>
    private static HashSet<ushort> RelocatedVersions(byte[] elf)
    {
        var versions = Sections(elf).First(s => s.Type == VersionSymbols); // entry i belongs to dynamic symbol i
        var indices = new HashSet<ushort>();
        foreach (var section in Sections(elf).Where(s => s.Type == RelocationsWithAddend))
            for (var at = section.Offset; at + 24 <= section.Offset + section.Size; at += 24) // Elf64_Rela: offset, info, addend
                indices.Add((ushort)(ReadUInt16(elf, versions.Offset + 2 * (long)(ReadUInt64(elf, at + 8) >> 32)) & 0x7fff));
        return indices;
    }

    private struct Section
    {
        public uint Type;
        public long Offset;
        public long Size;
        public long Strings; // file offset of the linked string table
    }

    private static List<Section> Sections(byte[] elf)
    {
        if (elf.Length < 64 || elf[0] != 0x7f || elf[1] != 'E' || elf[2] != 'L' || elf[3] != 'F' || elf[4] != 2 || elf[5] != 1)
            throw new InvalidDataException("not a 64-bit little-endian ELF file.");
        var table = (long)ReadUInt64(elf, 0x28);
        int size = ReadUInt16(elf, 0x3a), count = ReadUInt16(elf, 0x3c);
        var sections = new List<Section>(count);
        for (var i = 0; i < count; i++)
        {
            var header = table + (long)i * size;
            var link = table + (long)ReadUInt32(elf, header + 0x28) * size;
            sections.Add(new Section
            {
                Type = ReadUInt32(elf, header + 4),
                Offset = (long)ReadUInt64(elf, header + 0x18),
                Size = (long)ReadUInt64(elf, header + 0x20),
                Strings = (long)ReadUInt64(elf, link + 0x18),
            });
        }
        return sections;
    }

    private static string Text(byte[] elf, long at)
    {
        CheckRange(elf, at, 1);
        var end = Array.IndexOf(elf, (byte)0, (int)at);
        if (end < 0) throw new InvalidDataException("a string of the ELF file has no end.");
        return Encoding.ASCII.GetString(elf, (int)at, end - (int)at);
    }

    private static ushort ReadUInt16(byte[] elf, long at) { CheckRange(elf, at, 2); return BitConverter.ToUInt16(elf, (int)at); }

    private static uint ReadUInt32(byte[] elf, long at) { CheckRange(elf, at, 4); return BitConverter.ToUInt32(elf, (int)at); }

    private static ulong ReadUInt64(byte[] elf, long at) { CheckRange(elf, at, 8); return BitConverter.ToUInt64(elf, (int)at); }

    private static void CheckRange(byte[] elf, long at, int bytes)
    {
        if (at < 0 || at + bytes > elf.Length) throw new InvalidDataException("the ELF file is truncated.");
    }
}
