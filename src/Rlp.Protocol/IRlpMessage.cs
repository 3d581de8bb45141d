namespace Rlp.Protocol;

/// <summary>Everything that may be sent between actors or journaled. The serializer is bound to this interface and to nothing else.</summary>
public interface IRlpMessage;
