namespace Rlp.Consoles.Tests;

/// <summary>What is shown of kept thoughts, and how much is read for it.</summary>
public sealed class ThoughtVerbTests
{
    private const string Columns = "step|group|thought|gain|prefix|thinks|next token";

    private readonly FakeCluster cluster = new();

    private async Task<string[]> NamesAsync(string command, FakeCluster? of = null) =>
        [.. (await (of ?? cluster).LinesAsync(command)).Where(l => l != Columns && !l.StartsWith('!')).Select(l => string.Join('/', l.Split('|')[..3]))];

    [Fact]
    public async Task The_last_thoughts_are_those_of_the_newest_steps_that_are_there()
    {
        Assert.Equal(["2/0/0", "2/0/1", "2/1/0"], await NamesAsync("thought last -r alpha -l 3"));
        Assert.Equal(10, (await NamesAsync("thought last -r alpha")).Length);
        Assert.Equal("1/0/1", (await NamesAsync("thought last -r alpha"))[^1]);
        Assert.Equal(16, (await NamesAsync("thought last -r alpha -l 100")).Length);
    }

    [Fact]
    public async Task Best_and_worst_are_ranked_over_all_steps_and_only_their_groups_are_read()
    {
        Assert.Equal(["2/3/0", "2/2/0", "2/1/0", "1/3/0"], await NamesAsync("thought best -r alpha -l 4"));
        Assert.Equal(["2/3", "2/2", "2/1", "1/3"], cluster.TextsRead);
        Assert.Equal(["2/3/1", "2/2/1"], await NamesAsync("thought worst -r alpha -l 2"));
    }

    [Fact]
    public async Task Step_and_gain_choose()
    {
        Assert.Equal(["1/3/0", "1/2/0"], await NamesAsync("thought best -r alpha -l 2 -n 1"));
        Assert.Equal(["2/0/0", "1/0/0", "1/0/1"], await NamesAsync("thought last -r alpha -a -1 -b 1.5"));
        Assert.Equal(["1/1/0"], await NamesAsync("thought best -r alpha -l 1 -b 3.5"));
        Assert.Contains("expected a number such as -0.5", Ask.Refusal("thought best -r alpha -a much"));
        Assert.Contains("expected a number such as -0.5", Ask.Refusal("thought best -r alpha -a NaN"));
    }

    [Fact]
    public async Task A_row_shows_the_end_of_the_prefix_and_the_begin_of_the_thought_on_one_line()
    {
        var row = (await cluster.LinesAsync("thought best -r alpha -l 1"))[1];
        Assert.Equal($@"2|3|0|60|...{new string('p', 26)}\n3+3=|{new string('a', 40)}\u001b</think>|\t", row);
        Assert.EndsWith($@"|{new string('b', 64)}...|\t", (await cluster.LinesAsync("thought worst -r alpha -l 1"))[1]);
    }

    [Fact]
    public async Task A_group_is_shown_in_full_and_its_digest_is_that_of_the_journal()
    {
        var lines = await cluster.LinesAsync("thought show -r alpha -n 2 -g 3");
        Assert.Contains("thought of|step 2 of stage rlp, group 3", lines);
        Assert.Contains("policy version|1", lines);
        Assert.Contains("prefix|34 tokens:", lines);
        Assert.Contains(@"next token|\t", lines);
        Assert.Contains("S_ema|-2", lines);
        Assert.Contains($"{new string('p', 30)}\n3+3=", lines);
        Assert.Contains("0|60|-1|5|-3.5|the policy", lines);
        Assert.Contains("1|-70|-1|5|-3.5|the length limit", lines);
        Assert.Contains(lines, l => l.StartsWith(new string('b', 80)));
        Assert.Equal("the journal has the same digest: sha 2 3", lines[^1]);
        var one = await cluster.LinesAsync("thought show -r alpha -n 2 -g 3 -m 1");
        Assert.DoesNotContain(one, l => l.StartsWith("0|60|"));
        Assert.Contains("1|-70|-1|5|-3.5|the length limit", one);
    }

    [Fact]
    public async Task Other_thoughts_than_the_journal_s_are_shown_with_the_file_what_was_expected_and_what_was_found()
    {
        var tampered = new FakeCluster { TamperedDigest = "!" };
        Assert.StartsWith(
            "2.parquet holds other thoughts of group 3 than the journal: their digest is sha 2 3!, expected sha 2 3", await tampered.ErrorAsync("thought show -r alpha -n 2 -g 3"));
        Assert.Contains(await tampered.LinesAsync("thought show -r alpha -n 2 -g 3"), l => l.StartsWith("0|60|"));
    }

    [Theory]
    [InlineData("thought last -r alpha")]
    [InlineData("thought best -r alpha")]
    [InlineData("thought worst -r alpha")]
    public async Task A_damaged_file_is_named_at_the_end_and_the_others_are_shown(string command)
    {
        var damaged = new FakeCluster { DamagedThoughts = [2] };
        Assert.Equal("2.parquet is no whole file of thoughts", await damaged.ErrorAsync(command));
        Assert.All(await NamesAsync(command, damaged), n => Assert.StartsWith("1/", n));
        Assert.Equal(8, (await NamesAsync(command, damaged)).Length);
    }

    [Fact]
    public async Task What_is_not_there_is_named_with_what_is()
    {
        Assert.StartsWith("node one has no thoughts of run 'beta': it has applied no RLP step", await cluster.ErrorAsync("thought last -r beta"));
        Assert.StartsWith("node one has no thoughts of stage pretrain of run 'alpha'", await cluster.ErrorAsync("thought last -r alpha -s pretrain"));
        Assert.Contains("has no stage 'rpl'; did you mean 'rlp'?", await cluster.ErrorAsync("thought last -r alpha -s rpl"));
        Assert.Equal("node one has no thoughts of step 7 of run 'alpha'; it has 3 steps of stage rlp, from 1 to 3", await cluster.ErrorAsync("thought best -r alpha -n 7"));
        Assert.Equal("step 2 of run 'alpha' has no group 4; 'thought last -r alpha -n 2' shows them", await cluster.ErrorAsync("thought show -r alpha -n 2 -g 4"));
        Assert.Equal("group 3 of step 2 has no thought 2; it has the thoughts 0 to 1", await cluster.ErrorAsync("thought show -r alpha -n 2 -g 3 -m 2"));
        Assert.Contains("-n STEP is missing", Ask.Refusal("thought show -r alpha -g 3"));
    }
}
