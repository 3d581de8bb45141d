namespace Rlp.Consoles;

/// <summary>Answers a command, line by line; a tail goes on until it is cancelled.</summary>
public delegate IAsyncEnumerable<AnswerLine> Answer(Arguments arguments, IClusterView cluster, CancellationToken cancellation);

/// <summary>One thing that a palette can be asked for.</summary>
/// <param name="Example">A command line that this verb understands.</param>
public sealed record Verb(string Name, string Description, IReadOnlyList<Argument> Arguments, string Example, Answer Answer);

/// <summary>The verbs for one noun.</summary>
public sealed record Palette(string Name, string Description, IReadOnlyList<Verb> Verbs);
