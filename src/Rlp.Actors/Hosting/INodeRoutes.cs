using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;

namespace Rlp.Actors.Hosting;

/// <summary>Something that a node's HTTP endpoint answers. Its requests have passed the token, if they need one.</summary>
public interface INodeRoutes
{
    void Map(IEndpointRouteBuilder routes);

    /// <summary>True for a request that may have a body; of the others one with a body is refused.</summary>
    bool TakesBody(HttpRequest request) => false;

    /// <summary>False for what may be known to anybody who reaches the port.</summary>
    bool NeedsToken(HttpRequest request) => true;
}
