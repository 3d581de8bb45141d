using Microsoft.AspNetCore.Routing;

namespace Rlp.Actors.Hosting;

/// <summary>Something that a node's HTTP endpoint answers. Its requests have passed the token; they have no bodies.</summary>
internal interface INodeRoutes
{
    void Map(IEndpointRouteBuilder routes);
}
