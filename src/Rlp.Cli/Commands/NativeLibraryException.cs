namespace Rlp.Cli.Commands;

/// <summary>libtorch does not load on this machine.</summary>
internal sealed class NativeLibraryException(string message, Exception inner) : Exception(message, inner);
