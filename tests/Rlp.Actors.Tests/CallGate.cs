namespace Rlp.Actors.Tests;

/// <summary>Holds an engine call until the test lets it go: <c>OnCall = gate.Pass</c>.</summary>
internal sealed class CallGate(string call, long step)
{
    private readonly TaskCompletionSource reached = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly ManualResetEventSlim open = new();

    /// <summary>Completes when the call is held.</summary>
    public Task Reached => reached.Task.WaitAsync(TimeSpan.FromSeconds(60));

    public void Pass(string what, long at)
    {
        if (what != call || at != step)
            return;
        reached.TrySetResult();
        open.Wait(TimeSpan.FromSeconds(60));
    }

    public void Open() => open.Set();
}
