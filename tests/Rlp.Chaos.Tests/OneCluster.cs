namespace Rlp.Chaos.Tests;

/// <summary>Test classes that share a cluster, one after the other.</summary>
[CollectionDefinition(nameof(OneCluster))]
public sealed class OneCluster : ICollectionFixture<NodeCluster>;
