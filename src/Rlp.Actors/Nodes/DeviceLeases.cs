using Rlp.Protocol.Commands;
using Rlp.Protocol.Replies;

namespace Rlp.Actors.Nodes;

/// <summary>
/// What a node's device holds and who has it. The engines of an on-policy run take turns on the cores, so a run holds its cores once;
/// their memory adds up.
/// </summary>
internal sealed class DeviceLeases(string device, int cores, long memoryBytes)
{
    private readonly Dictionary<string, LeaseGranted> granted = [];

    public IReadOnlyCollection<LeaseGranted> Granted => granted.Values;

    /// <summary>Grants the lease, or says what is short. A run that asks again gets the lease it holds replaced.</summary>
    public (LeaseGranted? Lease, string Refusal) Acquire(AcquireLease request)
    {
        var others = granted.Values.Where(l => l.RunId != request.RunId).ToArray();
        var memory = request.MemoryBytes.Values.Sum();
        var (freeCores, freeMemory) = (cores - others.Sum(l => l.Cores), memoryBytes - others.Sum(l => l.MemoryBytes));
        var holders = others.Length == 0 ? "" : $"; held by {string.Join(", ", others.Select(l => $"'{l.RunId}' ({l.Cores} cores, {Mebibytes(l.MemoryBytes)})"))}";
        if (request.Cores > freeCores)
            return (null, $"run '{request.RunId}' needs {request.Cores} cores of {device}, which has {freeCores} of {cores} free{holders}. Stop a run, or start this one with fewer threads");
        if (memory > freeMemory)
        {
            var parts = string.Join(", ", request.MemoryBytes.OrderByDescending(m => m.Value).Select(m => $"{m.Key} {Mebibytes(m.Value)}"));
            return (null, $"run '{request.RunId}' needs {Mebibytes(memory)} of {device} ({parts}), which has {Mebibytes(freeMemory)} of {Mebibytes(memoryBytes)} free{holders}. {(others.Length > 0 ? "Stop a run, or set" : "Set")} {request.Remedy ?? "a smaller model"}; `rlp plan` shows the parts");
        }
        return (granted[request.RunId] = new LeaseGranted { RunId = request.RunId, Device = device, Cores = request.Cores, MemoryBytes = memory }, "");
    }

    public bool Release(string runId) => granted.Remove(runId);

    private static string Mebibytes(long bytes) => $"{Math.Ceiling(bytes / 1048576.0):N0} MiB";
}
