namespace Rlp.Corpora;

/// <summary>One text of a corpus and its index there, from 0.</summary>
public sealed record Document(long Index, string Text);
