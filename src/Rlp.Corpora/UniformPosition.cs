namespace Rlp.Corpora;

/// <summary>One position per document, each as likely, drawn by the seed and the document's number in the stream.</summary>
public sealed class UniformPosition(ulong seed) : IPositionStrategy
{
    private readonly ulong key = Philox.Key(seed, "uniform position");

    public string Description => "one uniformly chosen token after the first";

    public IReadOnlyList<int> Choose(ReadOnlySpan<int> tokens, long document) =>
        tokens.Length < 2 ? [] : [1 + (int)Philox.Below((ulong)tokens.Length - 1, key, (ulong)document, 0)];
}
