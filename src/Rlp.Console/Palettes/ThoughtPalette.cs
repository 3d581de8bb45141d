using System.Runtime.CompilerServices;
using Rlp.Protocol.Events;

namespace Rlp.Consoles.Palettes;

/// <summary>
/// The kept thoughts of a run. <c>last</c> reads steps from the newest on until it has enough. <c>best</c> and <c>worst</c> read the gains
/// of every kept step, one step after the other: about a millisecond for each and little memory, however long the thoughts. Texts are read
/// of the groups that are shown, and of no others.
/// </summary>
internal static class ThoughtPalette
{
    private const int PrefixShown = 32;
    private const int ThoughtShown = 64;

    private static readonly Argument Stage =
        CommonArguments.Stage with { Description = "of this stage; default: the last one that has thoughts" };

    private static readonly Argument Step = new Argument("step", "-n", "only of this step").Whole(1);
    private static readonly Argument Group = new Argument("group", "-g", "number of the group") { Mandatory = true }.Whole(0);
    private static readonly Argument Member = new Argument("member", "-m", "only this thought of the group").Whole(0);
    private static readonly Argument AtLeast = new Argument("min-gain", "-a", "only thoughts that gain at least so many nats").Real();
    private static readonly Argument AtMost = new Argument("max-gain", "-b", "only thoughts that gain at most so many nats").Real();

    private static readonly Argument[] Listed =
        [CommonArguments.Run, Stage, Step, AtLeast, AtMost, CommonArguments.Last(10, "how many thoughts")];

    private static readonly Argument[] Shown =
        [CommonArguments.Run, Stage, Step with { Mandatory = true, Description = "the step" }, Group, Member];

    private sealed record Chosen(long Step, KeptGain Thought);

    /// <summary>The kept steps of a run's stage that are looked at, in their order.</summary>
    private sealed record Kept(IClusterView Cluster, string RunId, string Stage, IReadOnlyList<long> Steps)
    {
        /// <summary>What is wrong with files that could not be read.</summary>
        public List<string> Damaged { get; } = [];
    }

    public static Palette Create() => new("thought", "Thoughts: what a policy has thought and what it gained, as far as it is kept.",
    [
        new("last", "thoughts of the newest steps", Listed, "thought last -r arithmetic-1 -l 20", Last),
        new("best", "the thoughts that gained most", Listed, "thought best -r arithmetic-1 -n 100",
            (arguments, cluster, cancellation) => Ranked(arguments, cluster, all => all.OrderByDescending(Gain), cancellation)),
        new("worst", "the thoughts that gained least", Listed, "thought worst -r arithmetic-1 -a -1",
            (arguments, cluster, cancellation) => Ranked(arguments, cluster, all => all.OrderBy(Gain), cancellation)),
        new("show", "the thoughts of one group in full, and whether they are those that the journal knows", Shown,
            "thought show -r arithmetic-1 -n 100 -g 3 -m 0", Show),
    ]);

    private static double Gain(Chosen chosen) => chosen.Thought.Gain;

    private static async IAsyncEnumerable<AnswerLine> Last(
        Arguments arguments, IClusterView cluster, [EnumeratorCancellation] CancellationToken cancellation)
    {
        var (kept, chosen) = (await FindAsync(arguments, cluster, cancellation), new List<Chosen>());
        foreach (var step in kept.Steps.Reverse().TakeWhile(_ => chosen.Count < arguments.Last()))
            chosen.AddRange((await GainsAsync(kept, step, arguments, cancellation)).Take(arguments.Last() - chosen.Count));
        await foreach (var line in RowsAsync(kept, chosen, cancellation)) yield return line;
    }

    private static async IAsyncEnumerable<AnswerLine> Ranked(
        Arguments arguments,
        IClusterView cluster,
        Func<IEnumerable<Chosen>, IEnumerable<Chosen>> order,
        [EnumeratorCancellation] CancellationToken cancellation)
    {
        var (kept, chosen) = (await FindAsync(arguments, cluster, cancellation), Array.Empty<Chosen>());
        foreach (var step in kept.Steps)
            chosen = [.. order(chosen.Concat(await GainsAsync(kept, step, arguments, cancellation))).Take(arguments.Last())];
        await foreach (var line in RowsAsync(kept, chosen, cancellation)) yield return line;
    }

    private static async IAsyncEnumerable<AnswerLine> Show(
        Arguments arguments, IClusterView cluster, [EnumeratorCancellation] CancellationToken cancellation)
    {
        var (_, id, stage, steps) = await FindAsync(arguments, cluster, cancellation);
        var (step, member) = (steps[0], arguments.Number("member"));
        var number = (int)Math.Min(int.MaxValue, arguments.Number("group")!.Value);
        var group = (await cluster.GroupsAsync(id, stage, step, new HashSet<int> { number }, cancellation)).FirstOrDefault()
            ?? throw new CommandFailedException(
                $"step {step} of run '{id}' has no group {number}; 'thought last -r {id} -n {step}' shows them");
        var thoughts = group.Thoughts.Where(t => member is null || t.Member == member).ToArray();
        if (thoughts.Length == 0)
            throw new CommandFailedException(
                $"group {number} of step {step} has no thought {member}; it has the thoughts 0 to {group.Thoughts.Count - 1}");
        yield return new ColumnsLine(["", "value"]);
        yield return new RowLine(["thought of", $"step {step} of stage {stage}, group {number}"]);
        yield return new RowLine(["policy version", Texts.Of(group.PolicyVersion)]);
        yield return new RowLine(["S_ema", Texts.Of(group.TeacherEvidence)]);
        yield return new RowLine(["next token", Visible(group.NextToken)]);
        yield return new RowLine(["prefix", $"{group.PrefixTokens} tokens:"]);
        yield return new TextLine(group.Prefix);
        foreach (var thought in thoughts)
        {
            yield return new ColumnsLine(["thought", "gain", "S_pred", "tokens", "log-probability", "ended by"]);
            yield return new RowLine(
            [
                Texts.Of(thought.Member), Texts.Of(thought.Gain), Texts.Of(thought.PredictedEvidence), Texts.Of(thought.Tokens),
                Texts.Of(thought.LogProbability), thought.Clipped ? "the length limit" : "the policy",
            ]);
            yield return new TextLine(thought.Text);
        }
        var journaled = cluster.Events(id).Select(e => e.Event).OfType<GroupsAccepted>().Where(a => a.Stage == stage && a.Step == step)
            .SelectMany(a => a.Groups).FirstOrDefault(g => g.Group == number)?.ThoughtsSha256;
        if (journaled != group.ThoughtsSha256)
            throw new CommandFailedException(
                $"{group.File} holds other thoughts of group {number} than the journal: their digest is {group.ThoughtsSha256}, "
                + $"expected {journaled ?? "none"}. No run needs the file; delete it");
        yield return new TextLine($"the journal has the same digest: {journaled}");
    }

    /// <summary>At least one step.</summary>
    private static async Task<Kept> FindAsync(Arguments arguments, IClusterView cluster, CancellationToken cancellation)
    {
        var id = await cluster.ExistingAsync(arguments.Text("run"), cancellation);
        var state = cluster.State(id);
        var asked = Known.OfStage(arguments["stage"], id, state);
        var stage = asked ?? state.Plan.Stages.Select(s => s.Id).LastOrDefault(s => cluster.ThoughtSteps(id, s).Count > 0);
        if (stage is null || cluster.ThoughtSteps(id, stage) is not [var first, ..] steps)
            throw new CommandFailedException(
                $"node {cluster.Node} has no thoughts of {(asked is null ? "" : $"stage {asked} of ")}run '{id}': "
                + "it has applied no RLP step since thoughts are kept, or node.thoughts is none");
        return arguments.Number("step") switch
        {
            null => new Kept(cluster, id, stage, steps),
            { } step when steps.Contains(step) => new Kept(cluster, id, stage, [step]),
            { } step => throw new CommandFailedException(
                $"node {cluster.Node} has no thoughts of step {step} of run '{id}'; "
                + $"it has {steps.Count} steps of stage {stage}, from {first} to {steps[^1]}"),
        };
    }

    private static async Task<IEnumerable<Chosen>> GainsAsync(Kept kept, long step, Arguments arguments, CancellationToken cancellation)
    {
        cancellation.ThrowIfCancellationRequested();
        var (least, most) = (arguments.Real("min-gain") ?? double.NegativeInfinity, arguments.Real("max-gain") ?? double.PositiveInfinity);
        try
        {
            var gains = await kept.Cluster.GainsAsync(kept.RunId, kept.Stage, step, cancellation);
            return gains.Where(g => g.Gain >= least && g.Gain <= most).Select(g => new Chosen(step, g));
        }
        catch (InvalidDataException e)
        {
            kept.Damaged.Add(e.Message);
            return [];
        }
    }

    private static async IAsyncEnumerable<AnswerLine> RowsAsync(
        Kept kept, IReadOnlyList<Chosen> chosen, [EnumeratorCancellation] CancellationToken cancellation)
    {
        var groups = new Dictionary<(long Step, int Group), KeptGroup>();
        foreach (var step in chosen.GroupBy(c => c.Step, c => c.Thought.Group))
            try
            {
                foreach (var group in await kept.Cluster.GroupsAsync(kept.RunId, kept.Stage, step.Key, step.ToHashSet(), cancellation))
                    groups[(step.Key, group.Group)] = group;
            }
            catch (InvalidDataException e)
            {
                kept.Damaged.Add(e.Message);
            }
        yield return new ColumnsLine(["step", "group", "thought", "gain", "prefix", "thinks", "next token"]);
        foreach (var (step, (number, member, gain)) in chosen)
            if (groups.TryGetValue((step, number), out var group) && group.Thoughts.FirstOrDefault(t => t.Member == member) is { } thought)
                yield return new RowLine(
                [
                    Texts.Of(step), Texts.Of(number), Texts.Of(member), Texts.Of(gain),
                    Tail(Visible(group.Prefix)), Head(Visible(thought.Text)), Visible(group.NextToken),
                ]);
        if (kept.Damaged.Count > 0) throw new CommandFailedException(string.Join('\n', kept.Damaged));
    }

    private static string Tail(string text) => text.Length > PrefixShown ? $"...{text[^PrefixShown..]}" : text;

    private static string Head(string text) => text.Length > ThoughtShown ? $"{text[..ThoughtShown]}..." : text;

    /// <summary>On one line, with the characters that would not be seen.</summary>
    private static string Visible(string text) => string.Concat(text.Select(c => c switch
    {
        '\n' => "\\n",
        '\r' => "\\r",
        '\t' => "\\t",
        _ when char.IsControl(c) => $"\\u{(int)c:x4}",
        _ => c.ToString(),
    }));
}
