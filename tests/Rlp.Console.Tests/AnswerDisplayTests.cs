namespace Rlp.Consoles.Tests;

public sealed class AnswerDisplayTests
{
    private readonly List<string> output = [];
    private readonly List<string> errors = [];

    private List<string> Shown(params AnswerLine[] lines)
    {
        var display = new PlainAnswerDisplay(output.Add, errors.Add);
        foreach (var line in lines) display.Show(line);
        display.End();
        return output;
    }

    [Fact]
    public void Tables_are_aligned_and_stand_apart() => Assert.Equal(
        ["about", "", "run    step", "alpha  1", "b      22", "", "x", "y"],
        Shown(
            new TextLine("about"), new ColumnsLine(["run", "step"]), new RowLine(["alpha", "1"]), new RowLine(["b", "22"]), new ColumnsLine(["x"]), new RowLine(["y"])));

    [Fact]
    public void Rows_of_a_tail_are_shown_as_they_come()
    {
        var display = new PlainAnswerDisplay(output.Add, errors.Add);
        display.Show(new ColumnsLine(["run", "step"], Streams: true));
        display.Show(new RowLine(["alpha", "1"]));
        Assert.Equal(["run  step", "alpha  1"], output);
    }

    [Fact]
    public void What_a_node_sends_cannot_command_the_terminal()
    {
        var lines = Shown(new ColumnsLine(["a", "b"]), new RowLine(["x\e[2J\ny", "1"]), new TextLine("t\e]0;title\a"), new ErrorLine("no\nway\e[31m"));
        Assert.Equal(["a        b", "x [2J y  1", "t ]0;title "], lines);
        Assert.Equal(["no", "way [31m"], errors);
    }

    [Fact]
    public void A_row_that_is_too_short_or_too_long_is_shown_all_the_same() =>
        Assert.Equal(["a  b", "1", "1  2"], Shown(new ColumnsLine(["a", "b"]), new RowLine(["1"]), new RowLine(["1", "2", "3"])));
}
