using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;

namespace Rlp.Actors.Hosting;

/// <summary>Something that a node's HTTP endpoint answers. Its requests have passed the token.</summary>
public interface INodeRoutes
{
    void Map(IEndpointRouteBuilder routes);

    /// <summary>True for a request that may have a body; of the others one with a body is refused.</summary>
    bool TakesBody(HttpRequest request) => false;
}
