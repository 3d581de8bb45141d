namespace Rlp.Corpora;

/// <summary>How an arithmetic thought is written.</summary>
public enum ArithmeticThoughtForm
{
    /// <summary>The result after each operator: <c>7+5-3+2-9=&lt;think&gt;2912&lt;/think&gt;2</c>.</summary>
    Results,

    /// <summary>
    /// The total after each term, separated: <c>7+5-3+2-9=&lt;think&gt;7,2,9,1,2&lt;/think&gt;2</c>. Two tokens for each term, in the problem as
    /// in the thought: every step finds its term at the same distance, and small models learn all steps as one.
    /// </summary>
    Totals,
}
