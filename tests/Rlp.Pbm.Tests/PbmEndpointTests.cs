using System.Net;
using System.Net.Sockets;
using Petabridge.Cmd.Host;
using Rlp.Cli.Consoles;
using Rlp.Consoles.Tests;

namespace Rlp.Pbm.Tests;

/// <summary>A node of a program that is built with pbm.</summary>
public sealed class PbmEndpointTests
{
    private readonly List<string> said = [];

    /// <summary>Where the node has pbm; null where it has none.</summary>
    private async Task<string?> AddressAsync(int port)
    {
        await using var session = await PbmSession.StartAsync(akka => PbmEndpoint.AddTo(akka, port, () => new FakeCluster(), said.Add));
        var pbm = PetabridgeCmd.Get(session.System);
        return pbm.Handlers.Count == 0 ? null : $"{pbm.Host}:{pbm.Port}";
    }

    [Fact]
    public async Task A_port_that_is_taken_costs_the_node_its_pbm_and_nothing_else()
    {
        using var other = new TcpListener(IPAddress.Loopback, 0);
        other.Start();
        var port = ((IPEndPoint)other.LocalEndpoint).Port;
        Assert.Null(await AddressAsync(port));
        Assert.StartsWith($"no pbm: 127.0.0.1:{port} cannot be listened on (Address already in use); set", Assert.Single(said));
    }

    [Fact]
    public async Task The_port_is_one_of_the_loopback_address()
    {
        int port;
        using (var free = new TcpListener(IPAddress.Loopback, 0))
        {
            free.Start();
            port = ((IPEndPoint)free.LocalEndpoint).Port;
        }
        Assert.Equal($"127.0.0.1:{port}", await AddressAsync(port));
        Assert.Equal([$"pbm 127.0.0.1:{port}"], said);
    }

    [Fact]
    public async Task Port_0_is_none()
    {
        Assert.Null(await AddressAsync(0));
        Assert.Empty(said);
    }
}
