using Akka.Actor;
using Akka.Cluster.Hosting;
using Akka.Cluster.Hosting.SBR;
using Akka.Cluster.Sharding;
using Akka.Configuration;
using Akka.Hosting;
using Akka.Remote.Hosting;
using Microsoft.Extensions.DependencyInjection;
using Rlp.Actors.Journals;
using Rlp.Actors.Nodes;
using Rlp.Actors.Runs;
using Rlp.Actors.Serialization;
using Rlp.Actors.Telemetry;
using Rlp.Actors.Workers;
using Rlp.Protocol;
using Rlp.Protocol.Payloads;
using Rlp.Protocol.Runs;
using Rlp.Training;

namespace Rlp.Actors.Hosting;

/// <summary>One process = one node = one actor system: what the command line, a service and the tests all start.</summary>
public static class RlpNodeHosting
{
    public const string SystemName = "rlp";
    public const string RunRegion = "run";
    public const string LaneRegion = "lane";

    private const int Shards = 32;

    /// <summary>Adds the node to a host; <see cref="RunClient"/> is how the host's code speaks to it.</summary>
    /// <param name="routes">What the node's HTTP endpoint answers besides weights, runs and its health.</param>
    /// <param name="configure">What the actor system has besides.</param>
    /// <exception cref="JournalUnavailableException">The journal cannot be opened.</exception>
    /// <exception cref="InvalidOperationException"><see cref="NodeOptions.Security"/> does not fit the node's address.</exception>
    public static IServiceCollection AddRlpNode(
        this IServiceCollection services, NodeOptions options, IEnumerable<INodeRoutes>? routes = null, Action<AkkaConfigurationBuilder>? configure = null)
    {
        OpenMpWaiting.Prepare();
        RunClient? client = null;
        var network = new NodeNetwork(options, () => client ?? throw new RunRefusedException(FailureKind.Infrastructure, "the node is starting; try again"), routes);
        network.AddTo(services);
        Dispatchers.FillPool(ThreadPlan.Of(options.Threads));
        Directory.CreateDirectory(options.RunsFolder);
        options.Journal.Prepare();
        services.AddSingleton(options);
        services.AddSingleton(_ => new NodeAddress(network.Address));
        services.AddSingleton(provider => client = new RunClient(provider.GetRequiredService<ActorSystem>(), options));
        return services.AddAkka(SystemName, (builder, _) =>
        {
            Configure(builder, options, network);
            configure?.Invoke(builder);
        });
    }

    private static void Configure(AkkaConfigurationBuilder builder, NodeOptions options, NodeNetwork network)
    {
        var scheme = options.Security.Tls is null ? "akka.tcp" : "akka.ssl.tcp";
        network.Configure(builder)
            .AddHocon(Settings(options), HoconAddMode.Prepend)
            .WithJournal(options.Journal)
            .WithStrictSerialization()
            .WithCustomSerializer("rlp", [typeof(IRlpMessage)], system => new RlpSerializer(system))
            .WithRemoting(options.Host, options.Port)
            .WithClustering(new ClusterOptions
            {
                LogInfo = false,
                Roles = ClusterNodes.RolesOf(options.Name, options.Roles, options.Coordinates),
                SeedNodes = options.Cluster is null ? null : [.. options.Cluster.SeedNodes.Select(seed => $"{scheme}://{SystemName}@{seed}")],
                SplitBrainResolver = options.Cluster?.SplitBrain switch
                {
                    SplitBrainStrategy.KeepMajority => new KeepMajorityOption(),
                    SplitBrainStrategy.KeepOldest => new KeepOldestOption { DownIfAlone = true },
                    _ => null,
                },
            })
            .WithShardingDistributedData(new ShardingDDataOptions { Durable = new DurableOptions { Keys = [] } });

        NodeHealth.AddTo(builder, options).AddStartup((system, _) =>
        {
            var gauges = new NodeGauges(Akka.Cluster.Cluster.Get(system), options);
            system.RegisterOnTermination(gauges.Dispose);
        });

        var singleton = new ClusterSingletonOptions
        {
            Role = ClusterNodes.Coordinator,
            LogSingletonIdentificationFailure = false, // logged at every start, before the singleton could be there
        };
        if (options.Coordinates)
            builder.WithSingleton<RunRegistryActor>(
                RunRegistryActor.Name, (_, registry, _) => Props.Create(() => new RunRegistryActor(options, () => registry.Get<TrainingRunActor>())), singleton);
        else
            builder.WithSingletonProxy<RunRegistryActor>(RunRegistryActor.Name, singleton);

        builder.WithActors((system, registry) =>
            registry.Register<NodeSupervisor>(system.ActorOf(Props.Create(() => new NodeSupervisor(options, network.Weights)), NodeSupervisor.Name)));

        var laneOf = new LaneShards(Shards);
        var laneRole = WorkerActor.NameOf(Role.Rollout);
        if (options.Roles.Contains(Role.Rollout))
            builder.WithShardRegion<RolloutLaneActor>(
                LaneRegion,
                (_, registry, _) => _ => Props.Create(() => new RolloutLaneActor(registry.Get<TrainingRunActor>())),
                laneOf,
                Sharded(laneRole, PoisonPill.Instance));
        else
            builder.WithShardRegionProxy<RolloutLaneActor>(LaneRegion, laneRole, laneOf);

        var runOf = HashCodeMessageExtractor.Create(Shards, message => (message as IRunMessage)?.RunId);
        if (options.Coordinates)
            builder.WithShardRegion<TrainingRunActor>(
                RunRegion,
                (_, registry, _) => runId => Props.Create(
                    () => new TrainingRunActor(runId, options, registry.Get<RolloutLaneActor>(), registry.Get<RunRegistryActor>())),
                runOf,
                Sharded(ClusterNodes.Coordinator, TrainingRunActor.End.Instance));
        else
            builder.WithShardRegionProxy<TrainingRunActor>(RunRegion, ClusterNodes.Coordinator, runOf);

        if (options.Cluster is null)
            builder.AddStartup((system, _) =>
            {
                var cluster = Akka.Cluster.Cluster.Get(system);
                cluster.Join(cluster.SelfAddress); // a cluster of one
            });
    }

    private static ShardOptions Sharded(string role, object stopMessage) => new()
    {
        Role = role,
        StateStoreMode = StateStoreMode.DData,
        RememberEntities = false, // the registry continues what should be running
        ShouldPassivateIdleEntities = false, // an entity may own a device for days without a message from outside
        HandOffStopMessage = stopMessage,
    };

    private static Config Settings(NodeOptions options) =>
        ConfigurationFactory.ParseString(options.Settings).WithFallback(ConfigurationFactory.ParseString($$"""
            {{LogFile.PathKey}} = {{Quote(Path.GetFullPath(options.LogFile))}}
            {{Dispatchers.Hocon(ThreadPlan.Of(options.Threads))}}
            {{JournalPersistence.Hocon(options.Journal)}}
            akka {
              loglevel = WARNING
              stdout-loglevel = OFF
              loggers = ["{{typeof(LogFile).FullName}}, {{typeof(LogFile).Assembly.GetName().Name}}"]
              log-dead-letters = off
              log-dead-letters-during-shutdown = off
              cluster {
                {{(options.Cluster is { } cluster ? Together(cluster) : Alone)}}
                singleton.hand-over-retry-interval = 200ms
                singleton-proxy.singleton-identification-interval = 100ms
                distributed-data.gossip-interval = 200ms
              }
              # What is larger goes in parts; the transport's buffers hold whole frames, and heartbeats wait for them.
              remote.dot-netty.tcp.maximum-frame-size = 4MiB
              coordinated-shutdown {
                run-by-clr-shutdown-hook = off # the host decides when the node ends: a signal must not take it from under a run that commits its checkpoint
                phases.cluster-exiting.timeout = 2s
                phases.cluster-sharding-shutdown-region.timeout = 5s
              }
            }
            """)).WithFallback(Akka.Persistence.Sql.SqlPersistence.DefaultConfiguration);

    /// <summary>A cluster of one has nobody to wait for: the intervals decide how fast it starts and leaves.</summary>
    private const string Alone = """
        gossip-interval = 100ms
        leader-actions-interval = 100ms
        periodic-tasks-initial-delay = 50ms
        sharding { retry-interval = 100ms, updating-state-timeout = 2s, waiting-for-state-timeout = 2s }
        """;

    // Lanes move soon after a node has joined: a run is long, but its user looks at it now.
    private static string Together(ClusterSettings settings) => FormattableString.Invariant($$"""
        gossip-interval = 300ms
        leader-actions-interval = 300ms
        seed-node-timeout = 3s
        retry-unsuccessful-join-after = 3s
        run-coordinated-shutdown-when-down = on
        failure-detector { heartbeat-interval = 300ms, acceptable-heartbeat-pause = {{settings.HeartbeatPause.TotalMilliseconds}}ms }
        split-brain-resolver {
          stable-after = {{settings.StableAfter.TotalMilliseconds}}ms
          down-all-when-unstable = 30s # by default 4 s after stable-after: a node that dies, joins again and dies would end them all
        }
        down-removal-margin = {{settings.StableAfter.TotalMilliseconds}}ms
        sharding { retry-interval = 500ms, rebalance-interval = 3s, updating-state-timeout = 3s, waiting-for-state-timeout = 3s }
        """);

    private static string Quote(string text) => $"\"{text.Replace("\\", "\\\\").Replace("\"", "\\\"")}\"";
}
