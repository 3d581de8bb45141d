using System.Globalization;
using System.Text;

namespace Rlp.Corpora;

/// <summary>
/// Left-to-right chains modulo 10, such as <c>7+5-3+2-9=2</c>, each on a line of its own. Digits are uniform in 0..9, operators uniform in
/// {+, -}. Document i is a pure function of the seed and i; corpora of one seed that differ only in their thoughts pose the same problems
/// at the same indices. The split key is the expression up to and including '=', because one expression occurs at many indices.
/// </summary>
public sealed class ArithmeticCorpus : ICorpus
{
    private const int MostTerms = 1000;

    private readonly int terms;
    private readonly ArithmeticThoughts thoughts;
    private readonly double corruption;
    private readonly string beginMarker;
    private readonly string endMarker;
    private readonly ArithmeticThoughtForm form;
    private readonly ulong expressionKey;
    private readonly ulong corruptionKey;
    private readonly ulong replacementKey;

    /// <param name="name">The corpus's name in the recipe.</param>
    /// <param name="terms">Digits of a chain, at least 2. A thought has terms - 1 results, or as many totals as terms.</param>
    /// <param name="seed">Decides every document, but not which expressions a split holds out.</param>
    /// <param name="thoughts">What stands between '=' and the answer.</param>
    /// <param name="corruption">Probability in [0, 1] that a digit of a corrupted thought is one of the nine others, each as
    /// likely.</param>
    /// <param name="beginMarker">Text before a thought.</param>
    /// <param name="endMarker">Text after a thought.</param>
    /// <param name="count">Number of documents.</param>
    /// <param name="form">How a thought is written.</param>
    public ArithmeticCorpus(
        string name, int terms, ulong seed, ArithmeticThoughts thoughts = ArithmeticThoughts.None, double corruption = 0.3,
        string beginMarker = "<think>", string endMarker = "</think>", long count = 1L << 40, ArithmeticThoughtForm form = ArithmeticThoughtForm.Results)
    {
        if (terms is < 2 or > MostTerms)
            throw new ArgumentOutOfRangeException(nameof(terms), terms, $"corpus '{name}': an arithmetic chain has 2 to {MostTerms} terms");
        if (corruption is not (>= 0 and <= 1))
            throw new ArgumentOutOfRangeException(nameof(corruption), corruption, $"corpus '{name}': corruption is in [0, 1]");
        if (thoughts != ArithmeticThoughts.None && (beginMarker.Length == 0 || endMarker.Length == 0))
            throw new ArgumentException($"corpus '{name}': thoughts need a begin and an end marker, at least one of them is empty");
        if (count < 1)
            throw new ArgumentOutOfRangeException(nameof(count), count, $"corpus '{name}': a corpus needs at least one document");

        Name = name;
        Count = count;
        this.terms = terms;
        this.thoughts = thoughts;
        this.corruption = corruption;
        this.beginMarker = beginMarker;
        this.endMarker = endMarker;
        this.form = form;
        expressionKey = Philox.Key(seed, "arithmetic expression");
        corruptionKey = Philox.Key(seed, "arithmetic corruption");
        replacementKey = Philox.Key(seed, "arithmetic replacement");

        var spoiled = thoughts == ArithmeticThoughts.Corrupted ? corruption : 0;
        string[] thoughtFacts = [beginMarker, endMarker, $"{form}", spoiled.ToString("R", CultureInfo.InvariantCulture)];
        if (thoughts == ArithmeticThoughts.None) thoughtFacts = [];
        Fingerprint = CorpusFingerprint.Of(["arithmetic", $"{terms}", $"{seed}", $"{count}", $"{thoughts}", .. thoughtFacts]);
    }

    public string Name { get; }

    public long Count { get; }

    public string Fingerprint { get; }

    public Document Read(long index)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(index);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(index, Count);

        var result = Draw(10, index, 0);
        var text = new StringBuilder().Append(Digit(result));
        var thought = new StringBuilder();
        if (form == ArithmeticThoughtForm.Totals) thought.Append(Digit(Shown(result, index, 0)));
        for (var term = 1; term < terms; term++)
        {
            var plus = Draw(2, index, 2 * term - 1) == 0;
            var digit = Draw(10, index, 2 * term);
            result = (plus ? result + digit : result - digit + 10) % 10;
            text.Append(plus ? '+' : '-').Append(Digit(digit));
            if (form == ArithmeticThoughtForm.Totals) thought.Append(',');
            thought.Append(Digit(Shown(result, index, term)));
        }
        text.Append('=');
        if (thoughts != ArithmeticThoughts.None) text.Append(beginMarker).Append(thought).Append(endMarker);
        return new Document(index, text.Append(Digit(result)).Append('\n').ToString());
    }

    public string SplitKey(Document document) => document.Text[..(document.Text.IndexOf('=') + 1)];

    private int Draw(ulong bound, long index, int draw) => (int)Philox.Below(bound, expressionKey, (ulong)index, (ulong)draw);

    /// <summary>The digit that a thought shows for a result.</summary>
    private int Shown(int digit, long index, int term)
    {
        if (thoughts != ArithmeticThoughts.Corrupted) return digit;
        if (Philox.Uniform(Philox.Block64(corruptionKey, (ulong)index, (ulong)term).Low) >= corruption) return digit;
        return (digit + 1 + (int)Philox.Below(9, replacementKey, (ulong)index, (ulong)term)) % 10;
    }

    private static char Digit(int value) => (char)('0' + value);
}
