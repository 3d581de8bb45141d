using Akka.Hosting;
using Rlp.Consoles;
#if PETABRIDGE_CMD
using Rlp.Pbm;
#else
using Rlp.Cli.Configuration;
#endif

namespace Rlp.Cli.Consoles;

/// <summary>The console's palettes for pbm, in a program that was built with it (-p:PetabridgeCmd=true).</summary>
internal static class PbmEndpoint
{
    /// <param name="port">`node.pbm-port`; 0: none.</param>
    /// <param name="say">Told where pbm finds the node, or why it does not.</param>
    public static void AddTo(AkkaConfigurationBuilder akka, int port, Func<IClusterView> cluster, Action<string> say)
    {
#if PETABRIDGE_CMD
        if (port > 0) akka.WithPbm(port, cluster, say);
#else
        if (port is not (0 or NodeSettings.StandardPbmPort))
            say($"no pbm: node.pbm-port is {port}, but this program was built without it; build with -p:PetabridgeCmd=true, "
                + "or ask with 'rlp console'");
#endif
    }
}
