using Rlp.Protocol.Payloads;
using Rlp.Protocol.Replies;
using Rlp.Training.Weights;

namespace Rlp.Actors.Workers;

/// <summary>Weight references of the engines as tickets of messages and back.</summary>
internal static class WeightTickets
{
    public static WeightReference? Read(WeightTicket? ticket) => ticket is null
        ? null
        : new WeightReference(ticket.RunId, ticket.Name, ticket.Version, ticket.Url, ticket.Sha256, ticket.Bytes, ticket.Publisher)
        {
            MasterSha256 = ticket.MasterSha256.Length == 0 ? null : ticket.MasterSha256,
        };

    public static WeightTicket Write(WeightReference reference) => new()
    {
        RunId = reference.RunId,
        Name = reference.Name,
        Version = reference.Version,
        Url = reference.Url,
        Sha256 = reference.Sha256,
        Bytes = reference.Bytes,
        Publisher = reference.Publisher,
        MasterSha256 = reference.MasterSha256 ?? "",
    };

    /// <summary>The reply with the tickets of what its engine publishes now, oldest version first.</summary>
    public static IEngineReply Attach(IEngineReply reply, IReadOnlyList<WeightReference> published)
    {
        if (published.Count == 0) return reply;
        return reply switch
        {
            EngineDone done => done with { Published = Write(published[^1]), Older = [.. published.SkipLast(1).Select(Write)] },
            EngineDescribed described => described with { Published = Write(published[^1]), Older = [.. published.SkipLast(1).Select(Write)] },
            StepLearned learned => learned with { Published = Write(published[^1]) },
            _ => reply,
        };
    }
}
