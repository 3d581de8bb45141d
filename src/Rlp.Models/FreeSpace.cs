using Rlp.Models.Weights;

namespace Rlp.Models;

/// <summary>Asks for the room on a disk before it is needed.</summary>
internal static class FreeSpace
{
    /// <param name="folder">Exists.</param>
    /// <param name="what">For the message: what needs the room.</param>
    /// <exception cref="IOException">Too little room.</exception>
    public static void Require(string folder, long bytes, string what)
    {
        var free = new DriveInfo(folder).AvailableFreeSpace;
        if (free < bytes)
            throw new IOException(
                $"{what} needs {ByteSize.Text(bytes)}, but the disk of {folder} has {ByteSize.Text(free)} free; free some or choose another disk");
    }
}
