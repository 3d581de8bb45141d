using Rlp.Training.Tests.Metrics;
using Rlp.Training.Thoughts;

namespace Rlp.Training.Tests.Thoughts;

public sealed class ThoughtFolderTests : IDisposable
{
    private const long Plenty = 1L << 30;

    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    private ThoughtFolder Open() => new(folder["run"]);

    private static void Keep(ThoughtFolder thoughts, long step, long bytes = Plenty, int members = 4) =>
        thoughts.Keep("rlp", step, [Groups.Of(0, members, prefix: 3, tokens: 5)], bytes);

    private long SizeOf(long step) => new FileInfo(Open().FileOf("rlp", step)).Length;

    [Fact]
    public void The_oldest_steps_go_once_the_room_is_taken_also_those_that_an_earlier_process_kept()
    {
        var thoughts = Open();
        foreach (var step in (long[])[9, 10, 11, 100]) Keep(thoughts, step);
        Assert.Equal([9L, 10L, 11L, 100L], Open().Steps("rlp"));
        thoughts = Open();
        var room = 3 * SizeOf(100) + SizeOf(100) / 2;
        Keep(thoughts, 101, room);
        Assert.Equal([11L, 100L, 101L], Open().Steps("rlp"));
        Keep(thoughts, 102, room);
        Assert.Equal([100L, 101L, 102L], Open().Steps("rlp"));
    }

    [Fact]
    public void A_step_that_is_executed_again_drives_out_no_newer_one()
    {
        var thoughts = Open();
        foreach (var step in (long[])[5, 6, 7]) Keep(thoughts, step);
        Keep(thoughts, 4, 3 * SizeOf(7) + SizeOf(7) / 2);
        Assert.Equal([5L, 6L, 7L], Open().Steps("rlp"));
    }

    [Fact]
    public void One_step_stays_whatever_its_size()
    {
        var thoughts = Open();
        Keep(thoughts, 1, bytes: 1);
        Keep(thoughts, 2, bytes: 1);
        Assert.Equal([2L], Open().Steps("rlp"));
    }

    [Fact]
    public void What_is_there_is_not_written_again_and_what_a_dead_process_left_goes()
    {
        Keep(Open(), 1);
        var file = Open().FileOf("rlp", 1);
        var left = Path.Combine(Path.GetDirectoryName(file)!, ".00000002.parquet.5f1c");
        File.WriteAllText(left, "half a");
        var written = File.GetLastWriteTimeUtc(file);
        Keep(Open(), 1, members: 9);
        Assert.Equal(written, File.GetLastWriteTimeUtc(file));
        Assert.False(File.Exists(left));
    }

    [Fact]
    public void A_run_without_thoughts_has_no_steps() => Assert.Empty(Open().Steps("rlp"));
}
