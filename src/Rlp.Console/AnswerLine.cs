using System.Text.Encodings.Web;
using System.Text.Json;

namespace Rlp.Consoles;

/// <summary>
/// One line of an answer. A table is its columns and then its rows; what else comes ends it. As JSON a line is one object without a line break:
/// {"text": ...}, {"columns": [...], "streams": true}, {"row": [...]} or {"error": ...}.
/// </summary>
public abstract record AnswerLine
{
    private static readonly JsonSerializerOptions Json = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping, // for people; the lines go into no page
    };

    private sealed record Wire(string? Text = null, string[]? Columns = null, bool? Streams = null, string[]? Row = null, string? Error = null);

    private static readonly JsonSerializerOptions Written = new(Json) { DefaultIgnoreCondition = System.Text.Json.Serialization.JsonIgnoreCondition.WhenWritingNull };

    public string ToJson() => JsonSerializer.Serialize(
        this switch
        {
            TextLine text => new Wire(Text: text.Text),
            ColumnsLine table => new Wire(Columns: [.. table.Names], Streams: table.Streams ? true : null),
            RowLine row => new Wire(Row: [.. row.Cells]),
            ErrorLine error => new Wire(Error: error.Message),
            _ => throw new InvalidOperationException($"{GetType().Name} is no line of an answer"),
        },
        Written);

    /// <exception cref="InvalidDataException">Not such a line.</exception>
    public static AnswerLine FromJson(string line)
    {
        try
        {
            return JsonSerializer.Deserialize<Wire>(line, Json) switch
            {
                { Text: { } text } => new TextLine(text),
                { Columns: { } columns, Streams: var streams } => new ColumnsLine(columns, streams ?? false),
                { Row: { } row } => new RowLine(row),
                { Error: { } error } => new ErrorLine(error),
                _ => throw new InvalidDataException($"'{line}' is no line of an answer; expected a key text, columns, row or error"),
            };
        }
        catch (JsonException e)
        {
            throw new InvalidDataException($"'{line}' is no line of an answer: {e.Message}", e);
        }
    }
}

public sealed record TextLine(string Text) : AnswerLine;

/// <param name="Streams">True: rows come as things happen and should be shown one by one; false: the table is whole soon and can be drawn.</param>
public sealed record ColumnsLine(IReadOnlyList<string> Names, bool Streams = false) : AnswerLine;

/// <param name="Cells">One for each column.</param>
public sealed record RowLine(IReadOnlyList<string> Cells) : AnswerLine;

/// <summary>What was asked for was not done, or the answer is not whole. Names culprit and remedy.</summary>
public sealed record ErrorLine(string Message) : AnswerLine;
