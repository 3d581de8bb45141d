namespace Rlp.Corpora.Tests;

public sealed class BatchTests
{
    private static int[] Characters(string text) => [.. text.Select(character => (int)character)];

    private static readonly string[] Words = [.. Enumerable.Range(0, 60).Select(i => new string((char)('a' + i % 26), i % 23))];

    private static DocumentStream Mixture() => new(
        [(new ListCorpus("words", Words), 1), (new ArithmeticCorpus("sums", 5, 1), 1)], 3, new HeldOutSplit(0.1), false);

    private static DocumentStream Stream(params string[] texts) => new([(new ListCorpus("c", texts), 1)], 1, new HeldOutSplit(0), false);

    private static string Show(IEnumerable<int[]> items) => string.Join('|', items.Select(item => string.Join(' ', item)));

    private static string Show(IEnumerable<CorpusPosition> positions) => Show(positions.Select(p => (int[])[.. p.Prefix, -1, p.NextToken]));

    [Fact]
    public void Five_ntp_batches_equal_one_of_five_times_the_size_from_any_cursor_and_loader()
    {
        var loader = new NtpBatches(Mixture(), Characters, 7);
        var whole = loader.Load(DataCursor.Start, 5 * 13);
        var pieces = new List<int[]>();
        var cursor = DataCursor.Start;
        var offsets = 0;
        for (var step = 0; step < 5; step++)
        {
            // A fresh stream and loader: nothing but the two numbers of the cursor survives a restart.
            var batch = new NtpBatches(Mixture(), Characters, 7).Load(new DataCursor(cursor.Document, cursor.Offset), 13);
            Assert.Equal(Show(batch.Documents), Show(loader.Load(cursor, 13).Documents));
            pieces.AddRange(batch.Documents);
            cursor = batch.Next;
            if (cursor.Offset > 0) offsets++;
        }
        Assert.Equal(Show(whole.Documents), Show(pieces));
        Assert.Equal(whole.Next, cursor);
        Assert.True(offsets > 0, "no batch ended inside a document: the test shows nothing");
    }

    [Theory]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(7)]
    [InlineData(1000)]
    public void Every_token_of_a_document_but_its_first_is_predicted_exactly_once(int contextLength)
    {
        var stream = Mixture();
        var loader = new NtpBatches(stream, Characters, contextLength);
        var predicted = new List<(int, int)>();
        var cursor = DataCursor.Start;
        while (cursor.Document < 50 || cursor.Offset > 0)
        {
            var batch = loader.Load(cursor, 1);
            var piece = Assert.Single(batch.Documents);
            Assert.InRange(piece.Length, 2, contextLength);
            predicted.AddRange(piece.Zip(piece.Skip(1)));
            cursor = batch.Next;
        }
        var documents = Enumerable.Range(0, (int)cursor.Document).Select(n => Characters(stream.At(n).Text));
        Assert.Equal(documents.SelectMany(tokens => tokens.Zip(tokens.Skip(1))), predicted);
    }

    public static TheoryData<string> Strategies => ["last", "uniform", "every", "marker"];

    private static IPositionStrategy Strategy(string name) => name switch
    {
        "last" => new LastPosition(),
        "uniform" => new UniformPosition(2),
        "every" => new EveryKthPosition(2),
        _ => new MarkerPosition(['=']),
    };

    [Theory]
    [MemberData(nameof(Strategies))]
    public void Position_batches_are_the_chosen_positions_in_order_whatever_the_steps(string name)
    {
        const int context = 6;
        var stream = Mixture();
        var expected = new List<CorpusPosition>();
        for (var n = 0; expected.Count < 5 * 13; n++)
        {
            var tokens = Characters(stream.At(n).Text);
            foreach (var t in Strategy(name).Choose(tokens, n))
                expected.Add(new CorpusPosition([.. tokens.Take(t).TakeLast(context)], tokens[t]));
        }
        var whole = new PositionBatches(stream, Characters, Strategy(name), context).Load(DataCursor.Start, 5 * 13);
        var steps = new List<CorpusPosition>();
        var cursor = DataCursor.Start;
        for (var step = 0; step < 5; step++)
        {
            var batch = new PositionBatches(Mixture(), Characters, Strategy(name), context).Load(cursor, 13);
            Assert.Equal(13, batch.Positions.Count);
            steps.AddRange(batch.Positions);
            cursor = batch.Next;
        }
        Assert.Equal(Show(expected.Take(5 * 13)), Show(whole.Positions));
        Assert.Equal(Show(whole.Positions), Show(steps));
        Assert.Equal(whole.Next, cursor);
    }

    [Fact]
    public void The_marker_gives_the_answer_of_an_arithmetic_problem()
    {
        var stream = new DocumentStream([(new ArithmeticCorpus("sums", 5, 1), 1)], 3, new HeldOutSplit(0.1), false);
        var batch = new PositionBatches(stream, Characters, new MarkerPosition(['=']), 1024).Load(DataCursor.Start, 20);
        for (var n = 0; n < 20; n++)
        {
            var (prefix, answer) = batch.Positions[n];
            Assert.Equal(stream.At(n).Text, string.Concat(prefix.Append(answer).Select(c => (char)c)) + "\n");
        }
        Assert.Equal(new DataCursor(20, 0), batch.Next);
    }

    [Fact]
    public void Documents_that_give_nothing_are_passed_over()
    {
        var stream = Stream("a", "", "b=1", "c", "d=", "=2");
        var batch = new PositionBatches(stream, Characters, new MarkerPosition(['=']), 8).Load(DataCursor.Start, 4);
        Assert.All(batch.Positions, position => Assert.Equal('=', position.Prefix[^1]));
        Assert.Equal(["12", "12"], batch.Positions.Chunk(2).Select(two => string.Concat(two.Select(p => (char)p.NextToken).Order())));
        Assert.Equal(["=2", "b=1", "d="], new NtpBatches(stream, Characters, 8).Load(DataCursor.Start, 3).Documents
            .Select(document => string.Concat(document.Select(c => (char)c))).Order(StringComparer.Ordinal));
    }

    [Fact]
    public void A_search_without_end_is_an_error_that_says_what_was_looked_for()
    {
        var encoded = 0;
        int[] Counted(string text)
        {
            encoded++;
            return Characters(text);
        }
        var positions = new PositionBatches(Stream("abc", "def"), Counted, new MarkerPosition([61, 62]), 8);
        var message = Assert.Throws<CorpusException>(() => positions.Load(DataCursor.Start, 1)).Message;
        Assert.Contains("'c'", message);
        Assert.Contains("marker tokens [61, 62]", message);
        Assert.Equal(10_000, encoded);
        var pieces = new NtpBatches(Stream("a", ""), Characters, 8);
        Assert.Contains("at least 2 tokens", Assert.Throws<CorpusException>(() => pieces.Load(DataCursor.Start, 1)).Message);
    }

    [Fact]
    public void A_cursor_of_another_stream_is_refused()
    {
        var pieces = new NtpBatches(Stream("abcdef"), Characters, 3);
        Assert.Equal("99 100 101", Show(pieces.Load(new DataCursor(0, 2), 1).Documents));
        Assert.Contains("0:5", Assert.Throws<CorpusException>(() => pieces.Load(new DataCursor(0, 5), 1)).Message);
        var positions = new PositionBatches(Stream("abcdef"), Characters, new EveryKthPosition(2), 3);
        Assert.Contains("0:5", Assert.Throws<CorpusException>(() => positions.Load(new DataCursor(0, 5), 1)).Message);
        Assert.Throws<ArgumentOutOfRangeException>(() => positions.Load(new DataCursor(-1, 0), 1));
        Assert.Throws<ArgumentOutOfRangeException>(() => positions.Load(new DataCursor(0, -1), 1));
        Assert.Throws<ArgumentOutOfRangeException>(() => positions.Load(DataCursor.Start, 0));
    }

    [Fact]
    public void A_strategy_that_leaves_the_document_is_named()
    {
        foreach (var chosen in new int[][] { [0], [3], [2, 2], [2, 1] })
        {
            var positions = new PositionBatches(Stream("abc"), Characters, new FixedPositions(chosen), 8);
            var failure = Assert.Throws<InvalidOperationException>(() => positions.Load(DataCursor.Start, 1));
            Assert.Contains(nameof(FixedPositions), failure.Message);
        }
    }

    private sealed class FixedPositions(int[] positions) : IPositionStrategy
    {
        public string Description => "fixed positions";

        public IReadOnlyList<int> Choose(ReadOnlySpan<int> tokens, long document) => positions;
    }

    [Fact]
    public void One_epoch_of_gsm8k_in_many_steps_predicts_every_training_token_once()
    {
        using var corpus = new JsonlCorpus("gsm8k", SharedData.Require("corpora/gsm8k-train.jsonl.gz"), "answer");
        var split = new HeldOutSplit(0.1);
        var texts = Enumerable.Range(0, (int)corpus.Count).Select(i => corpus.Read(i).Text);
        var training = texts.Where(text => !split.IsHeldOut(text)).ToList();
        Statistics.AssertShare(0.9, training.Count, (int)corpus.Count);
        var loader = new NtpBatches(new DocumentStream([(corpus, 1)], 1, split, false), Characters, 128);
        long predicted = 0;
        for (var cursor = DataCursor.Start; cursor.Document < training.Count;)
        {
            var batch = loader.Load(cursor, 1);
            predicted += batch.Documents[0].Length - 1;
            cursor = batch.Next;
        }
        Assert.Equal(training.Sum(text => text.Length - 1L), predicted);
    }

    [Fact]
    public void Positions_of_tiny_shakespeare_as_one_document_cover_it()
    {
        using var corpus = new TextCorpus("shakespeare", SharedData.Require("corpora/tinyshakespeare.txt"), "");
        var text = corpus.Read(0).Text;
        var stream = new DocumentStream([(corpus, 1)], 1, new HeldOutSplit(0), false);
        var loader = new PositionBatches(stream, Characters, new EveryKthPosition(1000), 64);
        var cursor = DataCursor.Start;
        for (var t = 1000; t < text.Length; t += 1000)
        {
            var batch = loader.Load(cursor, 1);
            Assert.Equal(text[(t - 64)..t], string.Concat(batch.Positions[0].Prefix.Select(c => (char)c)));
            Assert.Equal(text[t], (char)batch.Positions[0].NextToken);
            cursor = batch.Next;
        }
        Assert.Equal(new DataCursor(1, 0), cursor);
    }
}
