namespace Rlp.Corpora;

/// <summary>Turns a document into token ids. Must be pure: equal texts give equal tokens, on any thread.</summary>
public delegate int[] TextEncoder(string text);
