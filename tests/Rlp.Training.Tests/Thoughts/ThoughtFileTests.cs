using Parquet.Serialization;
using Rlp.Training.Engines;
using Rlp.Training.Tests.Metrics;
using Rlp.Training.Thoughts;

namespace Rlp.Training.Tests.Thoughts;

public sealed class ThoughtFileTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    private string File => folder["thoughts/rlp/00000007.parquet"];

    [Fact]
    public async Task Every_bit_of_a_step_comes_back()
    {
        ScoredGroup[] groups =
        [
            Groups.Of(3, members: 2, prefix: 5, tokens: 4),
            Groups.Of(4, members: 2, prefix: 0, tokens: 1),
            Groups.With(5, [new SampledThought([], [], false, double.NaN), new SampledThought([7], [-0f], true, -0.0), new SampledThought([8, int.MaxValue], [float.MinValue, -1e-45f], false, 1e-320)]),
        ];
        ThoughtFile.Write(File, 7, groups);
        var read = await ThoughtFile.ReadGroupsAsync(File, new HashSet<int> { 3, 4, 5, 6 }, TestContext.Current.CancellationToken);
        Assert.Equal(groups.Select(Groups.Text), read.Select(Groups.Text));
        Assert.Equal(groups.Select(g => g.Sampled.ThoughtsSha256()), read.Select(g => g.Sampled.ThoughtsSha256()));
    }

    [Fact]
    public async Task Groups_and_gains_are_found_wherever_in_a_large_file_they_lie()
    {
        var groups = Enumerable.Range(0, 250).Select(g => Groups.Of(g, members: 7, prefix: 3, tokens: 2 + g % 5)).ToArray(); // rows of a group lie in two parts
        ThoughtFile.Write(File, 1, groups);
        var read = await ThoughtFile.ReadGroupsAsync(File, new HashSet<int> { 0, 73, 249 }, TestContext.Current.CancellationToken);
        Assert.Equal(((int[])[0, 73, 249]).Select(g => Groups.Text(groups[g])), read.Select(Groups.Text));
        var gains = await ThoughtFile.ReadGainsAsync(File, TestContext.Current.CancellationToken);
        Assert.Equal(groups.SelectMany(g => g.Rewards().Select((r, m) => (g.Sampled.Position.Group, m, r))), gains.Select(g => (g.Group, g.Member, g.Gain)));
    }

    [Fact]
    public async Task A_step_without_a_group_is_an_empty_file()
    {
        ThoughtFile.Write(File, 1, []);
        Assert.Empty(await ThoughtFile.ReadGainsAsync(File, TestContext.Current.CancellationToken));
        Assert.Empty(await ThoughtFile.ReadGroupsAsync(File, new HashSet<int> { 0 }, TestContext.Current.CancellationToken));
    }

    [Fact]
    public async Task Rows_are_readable_by_their_documented_columns()
    {
        ThoughtFile.Write(File, 7, [Groups.Of(3, members: 2, prefix: 3, tokens: 2)]);
        await using var stream = System.IO.File.OpenRead(File);
        var rows = (await ParquetSerializer.DeserializeUntypedAsync(stream, cancellationToken: TestContext.Current.CancellationToken)).Data;
        Assert.Equal(
            ["clipped", "gain", "group", "log_probabilities", "member", "next_token", "policy_version", "prefix", "s_ema", "s_pred", "step", "thought", "thoughts_sha256"],
            rows[0].Keys.Order(StringComparer.Ordinal));
        Assert.Equal((7L, 3, 1), ((long)rows[1]["step"]!, (int)rows[1]["group"]!, (int)rows[1]["member"]!));
    }

    [Theory]
    [InlineData("cut")]
    [InlineData("empty")]
    [InlineData("text")]
    [InlineData("other columns")]
    public async Task A_damaged_file_is_named(string damage)
    {
        ThoughtFile.Write(File, 7, [Groups.Of(3, members: 2, prefix: 5, tokens: 4)]);
        var bytes = await System.IO.File.ReadAllBytesAsync(File, TestContext.Current.CancellationToken);
        if (damage == "other columns") await ParquetSerializer.SerializeAsync([new ThoughtGain { Gain = 1 }], File, cancellationToken: TestContext.Current.CancellationToken);
        else await System.IO.File.WriteAllBytesAsync(File, damage switch { "cut" => bytes[..(bytes.Length / 2)], "empty" => [], _ => "these are no thoughts"u8.ToArray() }, TestContext.Current.CancellationToken);
        Func<Task>[] readings = [() => ThoughtFile.ReadGainsAsync(File), () => ThoughtFile.ReadGroupsAsync(File, new HashSet<int> { 3 })];
        foreach (var read in readings)
            Assert.StartsWith($"{File} is no whole file of thoughts: ", (await Assert.ThrowsAsync<InvalidDataException>(read)).Message);
    }

    [Fact]
    public async Task Bytes_that_flipped_give_no_other_error_than_one_that_names_the_file()
    {
        var group = Groups.Of(3, members: 4, prefix: 5, tokens: 40);
        ThoughtFile.Write(File, 7, [group]);
        var whole = await System.IO.File.ReadAllBytesAsync(File, TestContext.Current.CancellationToken);
        var random = new Random(1);
        for (var i = 0; i < 200; i++)
        {
            var bytes = (byte[])whole.Clone();
            for (var flips = 0; flips < 8; flips++) bytes[random.Next(bytes.Length)] ^= (byte)random.Next(1, 256);
            await System.IO.File.WriteAllBytesAsync(File, bytes, TestContext.Current.CancellationToken);
            try
            {
                await ThoughtFile.ReadGroupsAsync(File, new HashSet<int> { 3 }, TestContext.Current.CancellationToken);
            }
            catch (InvalidDataException e)
            {
                Assert.StartsWith(File, e.Message);
            }
        }
    }
}

internal static class Groups
{
    public static ScoredGroup With(int group, SampledThought[] thoughts) =>
        new(new SampledGroup(new GroupPosition(group, [1, 2, 3], 4), thoughts) { PolicyVersion = 6 }, -1.5);

    /// <summary>Every number another.</summary>
    public static ScoredGroup Of(int group, int members, int prefix, int tokens) => new(
        new SampledGroup(
            new GroupPosition(group, [.. Enumerable.Range(group, prefix)], group + 1),
            [.. Enumerable.Range(0, members).Select(m => new SampledThought(
                [.. Enumerable.Range(0, tokens).Select(t => group * 10_000 + m * 100 + t)], [.. Enumerable.Range(0, tokens).Select(t => -(group + m + t) / 3f)], m % 2 == 1, -group - m / 7.0))])
        {
            PolicyVersion = 6,
        },
        -group / 3.0);

    public static string Text(ScoredGroup group)
    {
        var position = group.Sampled.Position;
        return $"{position.Group} [{string.Join(' ', position.Prefix)}] {position.NextToken} v{group.Sampled.PolicyVersion} {group.TeacherEvidence:R} "
            + string.Join(" | ", group.Sampled.Thoughts.Select(t =>
                $"{string.Join(' ', t.Tokens)} {string.Join(' ', t.LogProbabilities.Select(BitConverter.SingleToInt32Bits))} {t.Clipped} {BitConverter.DoubleToInt64Bits(t.PredictedEvidence)}"));
    }
}
