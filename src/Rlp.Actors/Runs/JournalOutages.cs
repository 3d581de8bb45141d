using System.Collections.Concurrent;
using Akka.Actor;

namespace Rlp.Actors.Runs;

/// <summary>
/// What a run entity that lost its journal leaves to its next incarnation on the same node: who hears of its progress, what nobody answered
/// yet, and since when the journal fails. A persistent actor whose write or recovery fails is stopped, always; the journal decides what the
/// next one goes on from.
/// </summary>
internal sealed class JournalOutage
{
    public DateTimeOffset Since { get; } = DateTimeOffset.UtcNow;

    public int Attempts { get; set; }

    /// <summary>The database's own words; a breaker that fails calls fast has none.</summary>
    public string Reason { get; set; } = "";

    /// <summary>True where a write failed last: that the journal can be read does not end the outage then.</summary>
    public bool Writing { get; set; }

    /// <summary>True where the run was at work, and its next incarnation continues without being asked.</summary>
    public bool Active { get; set; }

    public HashSet<IActorRef> Subscribers { get; } = [];
}

/// <summary>The outages of an actor system's runs, and which of them recover without their snapshot because it cannot be read.</summary>
internal sealed class JournalOutages : IExtension
{
    private readonly ConcurrentDictionary<string, JournalOutage> outages = new();
    private readonly ConcurrentDictionary<string, string> unreadableSnapshots = new();

    public static JournalOutages Of(ActorSystem system) => system.WithExtension<JournalOutages, Provider>();

    public JournalOutage? Find(string runId) => outages.GetValueOrDefault(runId);

    public JournalOutage Begin(string runId) => outages.GetOrAdd(runId, _ => new JournalOutage());

    /// <summary>The outage that is over; null where there was none.</summary>
    public JournalOutage? End(string runId) => outages.TryRemove(runId, out var outage) ? outage : null;

    /// <summary>False where the run recovers without its snapshot already.</summary>
    public bool PassOverSnapshot(string runId, string reason) => unreadableSnapshots.TryAdd(runId, reason);

    /// <summary>Why the run's snapshot is passed over; null where it is not.</summary>
    public string? PassedOver(string runId) => unreadableSnapshots.GetValueOrDefault(runId);

    public string? UseSnapshotsAgain(string runId) => unreadableSnapshots.TryRemove(runId, out var reason) ? reason : null;

    private sealed class Provider : ExtensionIdProvider<JournalOutages>
    {
        public override JournalOutages CreateExtension(ExtendedActorSystem system) => new();
    }
}
