using System.Collections.Concurrent;

namespace Rlp.Training.Engines;

/// <summary>
/// The weights that engines of one node share by handle (zero copy): the learner publishes its policy, the teacher its phi, rollout and reward
/// read them. Safe because an on-policy step never samples or scores while it learns; the run entity orders the calls. Where steps are sampled
/// ahead, learner and teacher publish a <see cref="WeightHistory"/> each, and those who sample and score read nothing else meanwhile.
/// </summary>
public sealed class NodeWeights
{
    private readonly ConcurrentDictionary<(string Run, string Name), object> published = new();

    public void Publish(string runId, string name, object weights) => published[(runId, name)] = weights;

    public void Withdraw(string runId, string name) => published.TryRemove((runId, name), out _);

    /// <exception cref="InvalidOperationException">Nothing of that name was published, or it is of another type.</exception>
    public T Get<T>(string runId, string name) where T : class =>
        published.TryGetValue((runId, name), out var weights) && weights is T typed
            ? typed
            : throw new InvalidOperationException($"run '{runId}' has published no {typeof(T).Name} '{name}' on this node; open the engine that owns it first");
}
