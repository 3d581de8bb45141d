using Rlp.Consoles;

namespace Rlp.Cli.Consoles;

/// <summary>The lines as they came; errors too are part of the answer.</summary>
internal sealed class JsonAnswerDisplay(TextWriter output) : AnswerDisplay
{
    public override void Show(AnswerLine line)
    {
        output.WriteLine(line.ToJson());
        output.Flush();
    }
}
