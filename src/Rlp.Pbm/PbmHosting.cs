using System.Net;
using System.Net.Sockets;
using Akka.Hosting;
using Petabridge.Cmd.Cluster;
using Petabridge.Cmd.Cluster.Sharding;
using Petabridge.Cmd.Host;
using Petabridge.Cmd.Remote;
using Rlp.Consoles;

namespace Rlp.Pbm;

/// <summary>A node that `pbm` can ask: the console's palettes, and those of Petabridge.Cmd for clusters, sharding and remoting.</summary>
public static class PbmHosting
{
    /// <param name="port">Of the loopback address: whoever connects may do everything. Where it cannot be had, the node goes on without.</param>
    /// <param name="cluster">Asked for each command; what it throws is the command's answer.</param>
    /// <param name="say">Told where pbm finds the node, or why it does not.</param>
    public static AkkaConfigurationBuilder WithPbm(
        this AkkaConfigurationBuilder builder, int port, Func<IClusterView> cluster, Action<string> say)
    {
        if (Refusal(port) is { } refusal)
        {
            say($"no pbm: 127.0.0.1:{port} cannot be listened on ({refusal}); set node.pbm-port to a port of its own, or to 0 for none");
            return builder;
        }
        say($"pbm 127.0.0.1:{port}");
        return builder.AddPetabridgeCmd(new PetabridgeCmdOptions { Host = IPAddress.Loopback.ToString(), Port = port }, pbm =>
        {
            pbm.RegisterCommandPalette(ClusterCommands.Instance);
            pbm.RegisterCommandPalette(ClusterShardingCommands.Instance);
            pbm.RegisterCommandPalette(new RemoteCommands());
            foreach (var palette in PbmPalettes.All) pbm.RegisterCommandPalette(new PbmPalette(palette, cluster));
        });
    }

    private static string? Refusal(int port)
    {
        try
        {
            using var listener = new TcpListener(IPAddress.Loopback, port);
            listener.Start();
            return null;
        }
        catch (SocketException e)
        {
            return e.Message;
        }
    }
}
