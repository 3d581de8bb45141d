namespace Rlp.Corpora;

/// <summary>Where the data of a stage stands: the next document to draw and the offset inside it. The whole state of the data loader.</summary>
public readonly record struct DataCursor(long Document, int Offset)
{
    public static readonly DataCursor Start = new(0, 0);

    public override string ToString() => $"{Document}:{Offset}";
}
