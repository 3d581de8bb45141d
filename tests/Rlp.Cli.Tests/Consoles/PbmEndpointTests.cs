using Akka.Hosting;
using Microsoft.Extensions.DependencyInjection;
using Rlp.Cli.Configuration;
using Rlp.Cli.Consoles;

namespace Rlp.Cli.Tests.Consoles;

public sealed class PbmEndpointTests
{
    [Theory]
    [InlineData(0, null)]
    [InlineData(NodeSettings.StandardPbmPort, null)]
    [InlineData(9111, "no pbm: node.pbm-port is 9111, but this program was built without it; build with -p:PetabridgeCmd=true")]
    public void A_program_without_pbm_says_so_where_it_was_asked_for(int port, string? expected)
    {
        var said = new List<string>();
        var akka = new AkkaConfigurationBuilder(new ServiceCollection(), "none");
        PbmEndpoint.AddTo(akka, port, () => throw new InvalidOperationException("nothing asks"), said.Add);
        if (expected is null) Assert.Empty(said);
        else Assert.StartsWith(expected, Assert.Single(said));
    }
}
