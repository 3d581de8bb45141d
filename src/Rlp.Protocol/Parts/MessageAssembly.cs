using Rlp.Protocol.Serialization;

namespace Rlp.Protocol.Parts;

/// <summary>
/// Puts messages together from their parts. A sender's parts come in the order in which they were sent, so it has one message here at a
/// time: where the next one begins, what is missing of the one before is lost. Nothing is reserved for what is only announced.
/// </summary>
/// <param name="maximumBytes">
/// Of all incomplete messages together. A step of the paper's size, 512 x 16 thoughts of 2,048 tokens, takes 120 MiB.
/// </param>
/// <param name="maximumMessages">That are incomplete at the same time.</param>
public sealed class MessageAssembly<TSender>(TimeProvider time, long maximumBytes = 1 << 30, int maximumMessages = 1024)
    where TSender : notnull
{
    /// <summary>A message of which nothing has come for so long is lost: its sender, or its sender's node, is gone.</summary>
    public static readonly TimeSpan LostAfter = TimeSpan.FromSeconds(30);

    private sealed class Message(MessagePart first)
    {
        public MessagePart First { get; } = first;
        public MemoryStream Bytes { get; } = new();
        public int Next { get; set; }
        public long LastAt { get; set; }

        /// <summary>The rest of it is passed over.</summary>
        public bool Refused { get; set; }
    }

    private readonly Dictionary<TSender, Message> messages = [];

    /// <summary>Bytes of the messages that are not complete.</summary>
    public long Bytes => messages.Values.Sum(m => m.Bytes.Length);

    public bool IsEmpty => messages.Count == 0;

    /// <summary>The message whose last part this is; null where others are to follow.</summary>
    /// <exception cref="InvalidDataException">
    /// The part does not follow the one before it, there is no room for it, or the parts are no message of their run.
    /// </exception>
    public IRunMessage? Take(TSender sender, MessagePart part)
    {
        if (!messages.TryGetValue(sender, out var message) || message.First.Id != part.Id)
        {
            messages.Remove(sender);
            if (messages.Count >= maximumMessages)
                throw Refusal(sender, part, $"{maximumMessages} others are not complete");
            messages.Add(sender, message = new Message(part));
        }
        message.LastAt = time.GetTimestamp();
        if (message.Refused)
            return null;
        if (Defect(message, part) is { } defect)
        {
            message.Refused = true;
            message.Bytes.SetLength(0);
            message.Bytes.Capacity = 0;
            throw Refusal(sender, part, defect);
        }
        message.Bytes.Write(part.Bytes);
        if (++message.Next < part.Count)
            return null;
        messages.Remove(sender);
        try
        {
            var bytes = message.Bytes.GetBuffer().AsMemory(0, (int)message.Bytes.Length);
            return MessageRegistry.Deserialize(part.Manifest, bytes) is IRunMessage whole && whole.RunId == part.RunId
                ? whole
                : throw Refusal(sender, part, "it is not a message of that run");
        }
        catch (ArgumentException e)
        {
            throw Refusal(sender, part, e.Message);
        }
    }

    /// <summary>Drops what is lost and gives the number of those messages.</summary>
    public int DropLost()
    {
        var lost = messages.Where(m => time.GetElapsedTime(m.Value.LastAt) >= LostAfter).ToArray();
        foreach (var (sender, _) in lost)
            messages.Remove(sender);
        return lost.Length;
    }

    private string? Defect(Message message, MessagePart part) =>
        part.Index != message.Next ? $"part {message.Next} is to come next"
        : (part.Count, part.Manifest, part.RunId) != (message.First.Count, message.First.Manifest, message.First.RunId)
            ? $"it began as {message.First.Count} parts of '{message.First.Manifest}' for run '{message.First.RunId}'"
        : part.Index >= part.Count ? "it has no such part"
        : Bytes + part.Bytes.Length > maximumBytes ? $"it and what else is not complete take more than {maximumBytes} bytes"
        : null;

    private static InvalidDataException Refusal(TSender sender, MessagePart part, string reason) =>
        new($"part {part.Index} of {part.Count} of '{part.Manifest}' for run '{part.RunId}' from {sender} "
            + $"is refused with its message: {reason}");
}
