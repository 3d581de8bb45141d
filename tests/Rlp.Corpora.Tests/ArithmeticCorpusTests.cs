using System.Text.RegularExpressions;

namespace Rlp.Corpora.Tests;

public sealed partial class ArithmeticCorpusTests
{
    [GeneratedRegex(@"\A(?<expression>\d([+-]\d){4}=)(\[(?<thought>\d{4})\])?(?<answer>\d)\n\z")]
    private static partial Regex Form();

    /// <summary>The results after each operator, by integer arithmetic on the whole prefix: no running remainder.</summary>
    private static string Results(string expression)
    {
        var results = "";
        var sum = expression[0] - '0';
        for (var i = 1; i + 1 < expression.Length; i += 2)
        {
            sum += (expression[i] == '+' ? 1 : -1) * (expression[i + 1] - '0');
            results += (sum % 10 + 10) % 10;
        }
        return results;
    }

    private static ArithmeticCorpus Corpus(ArithmeticThoughts thoughts, ulong seed = 1, double corruption = 0.3) =>
        new("a", 5, seed, thoughts, corruption, "[", "]");

    [Fact]
    public void The_example_of_the_design_has_the_documented_results() => Assert.Equal("2912", Results("7+5-3+2-9="));

    [Theory]
    [InlineData(ArithmeticThoughts.None)]
    [InlineData(ArithmeticThoughts.Clean)]
    [InlineData(ArithmeticThoughts.Corrupted)]
    public void Documents_have_the_right_form_answer_and_thought(ArithmeticThoughts thoughts)
    {
        var corpus = Corpus(thoughts);
        int wrong = 0, digits = 0;
        for (var i = 0; i < 5000; i++)
        {
            var document = Form().Match(corpus.Read(i * 1_000_003L).Text);
            Assert.True(document.Success);
            var results = Results(document.Groups["expression"].Value);
            Assert.Equal(results[^1..], document.Groups["answer"].Value);
            var thought = document.Groups["thought"].Value;
            Assert.Equal(thoughts == ArithmeticThoughts.None ? 0 : 4, thought.Length);
            if (thoughts == ArithmeticThoughts.Clean) Assert.Equal(results, thought);
            digits += thought.Length;
            wrong += thought.Where((digit, at) => digit != results[at]).Count();
        }
        if (thoughts == ArithmeticThoughts.Corrupted) Statistics.AssertShare(0.3, wrong, digits);
    }

    [Fact]
    public void Digits_and_operators_are_uniform_and_a_wrong_digit_is_any_of_the_others()
    {
        var corpus = Corpus(ArithmeticThoughts.Corrupted, corruption: 1);
        var digits = new int[5, 10];
        var plus = new int[2];
        var shifts = new int[10];
        for (var i = 0; i < 20_000; i++)
        {
            var document = Form().Match(corpus.Read(i).Text);
            var expression = document.Groups["expression"].Value;
            var results = Results(expression);
            for (var term = 0; term < 5; term++) digits[term, expression[2 * term] - '0']++;
            for (var term = 1; term < 5; term++)
            {
                plus[expression[2 * term - 1] == '+' ? 1 : 0]++;
                shifts[(document.Groups["thought"].Value[term - 1] - results[term - 1] + 10) % 10]++;
            }
        }
        for (var term = 0; term < 5; term++) Statistics.AssertUniform([.. Enumerable.Range(0, 10).Select(digit => digits[term, digit])]);
        Statistics.AssertUniform(plus);
        Assert.Equal(0, shifts[0]);
        Statistics.AssertUniform(shifts[1..]);
    }

    [Fact]
    public void Neighbouring_documents_and_seeds_are_independent()
    {
        // Pairs of first digits at (index, index + 1) and at (seed, seed + 1): a shared or shifted counter would leave cells empty.
        var byIndex = new int[100];
        var bySeed = new int[100];
        ArithmeticCorpus one = Corpus(ArithmeticThoughts.None, 1), two = Corpus(ArithmeticThoughts.None, 2);
        for (var i = 0; i < 20_000; i++)
        {
            byIndex[10 * (one.Read(i).Text[0] - '0') + one.Read(i + 1).Text[0] - '0']++;
            bySeed[10 * (one.Read(i).Text[0] - '0') + two.Read(i).Text[0] - '0']++;
        }
        Statistics.AssertUniform(byIndex);
        Statistics.AssertUniform(bySeed);
    }

    // Computed by a second implementation, in another language, from the description of the format alone.
    private static readonly string[] Pinned =
        ["7+1-7+8+9=<think>8198</think>8\n", "9-9-7-4-8=<think>6881</think>1\n", "7-1-7-2-3=<think>6272</think>4\n"];

    [Fact]
    public void Documents_are_the_same_ones_in_every_version()
    {
        var corpus = new ArithmeticCorpus("a", 5, 1, ArithmeticThoughts.Corrupted);
        Assert.Equal(Pinned, new[] { 0, 1, (1L << 40) - 1 }.Select(i => corpus.Read(i).Text));
    }

    [Fact]
    public void Totals_hold_the_first_term_and_every_result_at_the_distance_of_the_terms_and_corrupted_ones_err_as_often_as_asked()
    {
        int wrong = 0, digits = 0;
        for (var i = 0; i < 2000; i++)
        {
            var clean = new ArithmeticCorpus("a", 5, 1, ArithmeticThoughts.Clean, 0.3, "[", "]", form: ArithmeticThoughtForm.Totals).Read(i).Text;
            var expression = clean[..10];
            var totals = expression[..1] + Results(expression);
            Assert.Equal($"{expression}[{string.Join(',', totals.ToCharArray())}]{totals[^1]}\n", clean);
            var corrupted = new ArithmeticCorpus("a", 5, 1, ArithmeticThoughts.Corrupted, 0.3, "[", "]", form: ArithmeticThoughtForm.Totals).Read(i).Text;
            Assert.Equal((expression, clean[^3..]), (corrupted[..10], corrupted[^3..]));
            for (var term = 0; term < 5; term++, digits++)
                if (corrupted[11 + 2 * term] != totals[term]) wrong++;
        }
        Statistics.AssertShare(0.3, wrong, digits);
    }

    [Fact]
    public void Thought_qualities_of_one_seed_pose_the_same_problems_with_the_same_split_key()
    {
        ArithmeticCorpus none = Corpus(ArithmeticThoughts.None), corrupted = Corpus(ArithmeticThoughts.Corrupted);
        for (var i = 0; i < 100; i++)
        {
            var key = none.SplitKey(none.Read(i));
            Assert.Equal(none.Read(i).Text[..10], key);
            Assert.Equal(key, corrupted.SplitKey(corrupted.Read(i)));
        }
    }

    [Fact]
    public void Fingerprints_follow_what_decides_the_documents()
    {
        ArithmeticCorpus[] different =
        [
            new("a", 5, 1), new("a", 6, 1), new("a", 5, 2), new("a", 5, 1, count: 9), new("a", 5, 1, ArithmeticThoughts.Clean),
            new("a", 5, 1, ArithmeticThoughts.Clean, endMarker: "]"), new("a", 5, 1, ArithmeticThoughts.Corrupted),
            new("a", 5, 1, ArithmeticThoughts.Corrupted, corruption: 0.31), new("a", 5, 1, ArithmeticThoughts.Clean, form: ArithmeticThoughtForm.Totals),
        ];
        Assert.Equal(different.Length, different.Select(corpus => corpus.Fingerprint).Distinct().Count());
        Assert.Equal(different[0].Fingerprint, new ArithmeticCorpus("b", 5, 1, corruption: 0.9, beginMarker: "[").Fingerprint);
    }

    [Fact]
    public void Impossible_settings_are_refused_with_the_corpus_named()
    {
        Action[] impossible =
        [
            () => _ = new ArithmeticCorpus("sums", 1, 1), () => _ = new ArithmeticCorpus("sums", 5, 1, corruption: 1.5),
            () => _ = new ArithmeticCorpus("sums", 5, 1, corruption: double.NaN), () => _ = new ArithmeticCorpus("sums", 5, 1, count: 0),
            () => _ = new ArithmeticCorpus("sums", 5, 1, ArithmeticThoughts.Clean, endMarker: ""),
        ];
        foreach (var construct in impossible) Assert.Contains("'sums'", Assert.ThrowsAny<ArgumentException>(construct).Message);
        Assert.Throws<ArgumentOutOfRangeException>(() => new ArithmeticCorpus("sums", 5, 1, count: 3).Read(3));
    }
}
