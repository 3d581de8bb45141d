namespace Rlp.Models.Hub;

/// <summary>How far a pull has come.</summary>
/// <param name="File">The file at hand.</param>
/// <param name="Bytes">Of all files, those of earlier tries included.</param>
/// <param name="Total">Of all files; null where the server does not say every size.</param>
/// <param name="BytesPerSecond">Since this call began.</param>
public sealed record HubProgress(string File, long Bytes, long? Total, double BytesPerSecond);
