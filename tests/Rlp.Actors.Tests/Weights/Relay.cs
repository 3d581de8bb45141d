using System.Net;
using System.Net.Sockets;

namespace Rlp.Actors.Tests.Weights;

/// <summary>A stretch of network between a reader and a publisher, which can damage or cut what comes back.</summary>
internal sealed class Relay : IDisposable
{
    private readonly TcpListener listener = new(IPAddress.Loopback, 0);
    private readonly int target;
    private int connections;

    public Relay(int target)
    {
        this.target = target;
        listener.Start();
        _ = AcceptAsync();
    }

    /// <summary>What becomes of a piece that comes back on the n-th connection, with the position of its first byte in the answer; false cuts the connection.</summary>
    public Func<int, long, Memory<byte>, bool> Back { get; set; } = (_, _, _) => true;

    public int Connections => Volatile.Read(ref connections);

    public string Through(string url) => new UriBuilder(url) { Port = ((IPEndPoint)listener.LocalEndpoint).Port }.Uri.AbsoluteUri;

    private async Task AcceptAsync()
    {
        try
        {
            while (true) _ = CarryAsync(await listener.AcceptTcpClientAsync(), Interlocked.Increment(ref connections));
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // The end of the test.
        }
    }

    private async Task CarryAsync(TcpClient reader, int number)
    {
        try
        {
            using (reader)
            using (var publisher = new TcpClient())
            {
                await publisher.ConnectAsync(IPAddress.Loopback, target);
                long position = 0;
                var (asked, answered) = (new byte[64 << 10], new byte[64 << 10]);
                _ = AskAsync();
                while (await publisher.GetStream().ReadAsync(answered) is > 0 and var count)
                {
                    if (!Back(number, position, answered.AsMemory(0, count))) return;
                    await reader.GetStream().WriteAsync(answered.AsMemory(0, count));
                    position += count;
                }

                async Task AskAsync()
                {
                    try
                    {
                        while (await reader.GetStream().ReadAsync(asked) is > 0 and var count)
                        {
                            position = 0;
                            await publisher.GetStream().WriteAsync(asked.AsMemory(0, count));
                        }
                        publisher.Client.Shutdown(SocketShutdown.Send);
                    }
                    catch (Exception e) when (e is IOException or SocketException or ObjectDisposedException)
                    {
                        // One of the two has gone.
                    }
                }
            }
        }
        catch (Exception e) when (e is IOException or SocketException or ObjectDisposedException)
        {
            // One of the two has gone.
        }
    }

    public void Dispose() => listener.Dispose();
}
