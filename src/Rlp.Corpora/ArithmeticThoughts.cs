namespace Rlp.Corpora;

/// <summary>What stands between an arithmetic problem and its answer.</summary>
public enum ArithmeticThoughts
{
    /// <summary>Nothing: <c>7+5-3+2-9=2</c>.</summary>
    None,

    /// <summary>The result after each operator: <c>7+5-3+2-9=&lt;think&gt;2912&lt;/think&gt;2</c>.</summary>
    Clean,

    /// <summary>The same with digits replaced by other ones at random; the answer stays right.</summary>
    Corrupted,
}
