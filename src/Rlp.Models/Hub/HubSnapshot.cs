namespace Rlp.Models.Hub;

/// <summary>A pulled file.</summary>
/// <param name="Tag">The hub's checksum: a SHA-256, a git blob's SHA-1, or something else that cannot be checked.</param>
/// <param name="Verified">The bytes on the disk have that checksum.</param>
public sealed record HubFile(string Name, long Bytes, string Tag, bool Verified);

/// <summary>A pulled model.</summary>
/// <param name="Folder">Whole, under its final name.</param>
/// <param name="Commit">What the revision stood for.</param>
/// <param name="AlreadyThere">Nothing had to be fetched.</param>
public sealed record HubSnapshot(
    string Folder, string Repository, string Revision, string Commit, IReadOnlyList<HubFile> Files, bool AlreadyThere);
