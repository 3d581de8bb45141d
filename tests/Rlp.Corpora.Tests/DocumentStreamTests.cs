namespace Rlp.Corpora.Tests;

public sealed class DocumentStreamTests
{
    private static readonly HeldOutSplit Fifth = new(0.2);

    private static List<string> Texts(DocumentStream stream, int from, int count) =>
        [.. Enumerable.Range(from, count).Select(n => stream.At(n).Text)];

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void One_part_passes_over_every_document_of_its_side_exactly_once_per_epoch(bool heldOut)
    {
        var corpus = ListCorpus.Numbered("c", 500);
        var side = Enumerable.Range(0, 500).Select(i => $"c {i}").Where(text => Fifth.IsHeldOut(text) == heldOut).Order().ToList();
        Assert.InRange(side.Count, 50, 450);
        var stream = new DocumentStream([(corpus, 1)], 3, Fifth, heldOut);
        var epochs = Enumerable.Range(0, 3).Select(epoch => Texts(stream, epoch * side.Count, side.Count)).ToList();
        Assert.All(epochs, epoch => Assert.Equal(side, epoch.Order()));
        Assert.NotEqual(epochs[0], epochs[1]);
        Assert.NotEqual(side, epochs[0]);
    }

    [Fact]
    public void Draws_do_not_depend_on_their_order_or_on_the_stream_object()
    {
        DocumentStream Open() => new([(ListCorpus.Numbered("a", 90), 1), (new ArithmeticCorpus("b", 5, 1), 2)], 8, Fifth, false);
        var stream = Open();
        var backwards = Enumerable.Range(0, 300).Reverse().Select(n => stream.At(n)).Reverse().ToList();
        Assert.Equal(Enumerable.Range(0, 300).Select(n => Open().At(n)), backwards);
    }

    [Fact]
    public void Parts_come_by_weight_and_a_part_of_weight_zero_never()
    {
        var stream = new DocumentStream(
            [(ListCorpus.Numbered("a", 100), 1), (ListCorpus.Numbered("b", 100), 0), (ListCorpus.Numbered("c", 100), 3)], 5, Fifth, false);
        var parts = Enumerable.Range(0, 20_000).CountBy(n => stream.Draw(n).Corpus.Name).ToDictionary();
        Assert.Equal(["a", "c"], parts.Keys.Order());
        Statistics.AssertShare(0.25, parts["a"], 20_000);
    }

    [Fact]
    public void Seeds_and_parts_have_orders_of_their_own()
    {
        var corpus = ListCorpus.Numbered("a", 1000);
        var nothing = new HeldOutSplit(0);
        DocumentStream one = new([(corpus, 1)], 1, nothing, false), two = new([(corpus, 1)], 2, nothing, false);
        Assert.InRange(Texts(one, 0, 1000).Zip(Texts(two, 0, 1000)).Count(pair => pair.First == pair.Second), 0, 10); // 1 by chance
        // Parts of one order would make this mixture of equal parts the same sequence as one part alone.
        DocumentStream mixture = new([(corpus, 1), (corpus, 1)], 1, nothing, false);
        Assert.InRange(Texts(one, 0, 1000).Zip(Texts(mixture, 0, 1000)).Count(pair => pair.First == pair.Second), 400, 600);
    }

    [Fact]
    public void A_part_of_a_mixture_repeats_nothing_within_as_many_draws_as_it_has_documents()
    {
        ListCorpus a = ListCorpus.Numbered("a", 1000), b = ListCorpus.Numbered("b", 1000);
        var stream = new DocumentStream([(a, 1), (b, 1)], 5, new HeldOutSplit(0), false);
        for (var epoch = 0; epoch < 3; epoch++)
        {
            var texts = Texts(stream, epoch * 1000, 1000);
            Assert.Equal(1000, texts.Distinct().Count());
        }
    }

    [Fact]
    public void No_training_document_poses_a_held_out_problem_whatever_the_seed_and_the_thoughts()
    {
        var trained = new HashSet<string>();
        foreach (var thoughts in Enum.GetValues<ArithmeticThoughts>())
            foreach (var seed in new ulong[] { 1, 2 })
            {
                var stream = new DocumentStream([(new ArithmeticCorpus("a", 3, seed, thoughts), 1)], seed, Fifth, false);
                for (var n = 0; n < 8000; n++) trained.Add(stream.At(n).Text.Split('=')[0]);
            }
        // 4,000 expressions have three terms: by now nearly each of the 80% has been drawn, and none of the others.
        Assert.InRange(trained.Count, 3100, 3300);
        var held = new DocumentStream([(new ArithmeticCorpus("a", 3, 7), 1)], 9, Fifth, true);
        for (var n = 0; n < 2000; n++) Assert.DoesNotContain(held.At(n).Text.Split('=')[0], trained);
    }

    [Fact]
    public void Probing_draws_the_expressions_of_its_side_equally_often()
    {
        var stream = new DocumentStream([(new ArithmeticCorpus("a", 2, 1), 1)], 1, Fifth, true);
        var counts = Enumerable.Range(0, 10_000).CountBy(n => stream.At(n).Text).Select(pair => pair.Value).ToList();
        Assert.InRange(counts.Count, 20, 60); // of 200 expressions with two terms
        Statistics.AssertUniform(counts);
    }

    [Fact]
    public void Parts_may_have_splits_of_their_own()
    {
        ListCorpus a = ListCorpus.Numbered("a", 200), b = ListCorpus.Numbered("b", 200);
        HeldOutSplit nothing = new(0), half = new(0.5);
        var stream = new DocumentStream([(a, 1, nothing), (b, 1, half)], 1, false);
        var seen = Texts(stream, 0, 20_000).Distinct().ToList();
        Assert.Equal(200, seen.Count(text => text.StartsWith('a')));
        Assert.Equal(Enumerable.Range(0, 200).Count(i => !half.IsHeldOut($"b {i}")), seen.Count(text => text.StartsWith('b')));
    }

    [Fact]
    public void A_mixture_without_a_document_or_with_a_senseless_weight_is_refused_with_the_corpus_named()
    {
        ListCorpus one = new("one", "text");
        foreach (var fraction in new[] { 0, 1e-9 })
        {
            var failure = Assert.Throws<CorpusException>(() => new DocumentStream([(one, 1)], 1, new HeldOutSplit(fraction), true));
            Assert.Contains("'one'", failure.Message);
        }
        var rare = new DocumentStream([(new ArithmeticCorpus("sums", 2, 1), 1)], 1, new HeldOutSplit(1e-9), true);
        Assert.Contains("'sums'", Assert.Throws<CorpusException>(() => rare.At(0)).Message);
        foreach (var weight in new[] { -1, double.NaN, double.PositiveInfinity })
            Assert.Contains("'one'", Assert.Throws<ArgumentException>(() => new DocumentStream([(one, weight)], 1, Fifth, false)).Message);
        Assert.Throws<ArgumentException>(() => new DocumentStream([(one, 0)], 1, Fifth, false));
        Assert.Throws<ArgumentOutOfRangeException>(() => new DocumentStream([(one, 1)], 1, new HeldOutSplit(0), false).At(-1));
    }

    [Fact]
    public void Held_out_problems_differ_from_each_other_and_too_many_are_refused()
    {
        var held = new DocumentStream([(new ArithmeticCorpus("sums", 3, 1), 1)], 2, Fifth, true);
        var problems = HeldOutProblems.Take(held, 500);
        Assert.Equal(500, problems.Select(problem => problem.Text).Distinct().Count());
        Assert.Equal(problems.Take(64), HeldOutProblems.Take(held, 64));
        Assert.Contains("'sums'", Assert.Throws<CorpusException>(() => HeldOutProblems.Take(held, 3000)).Message);
        var training = new DocumentStream([(new ArithmeticCorpus("sums", 3, 1), 1)], 2, Fifth, false);
        Assert.Throws<ArgumentException>(() => HeldOutProblems.Take(training, 1));
    }
}
