using Akka.Actor;
using Akka.Cluster.Hosting;
using Akka.Cluster.Sharding;
using Akka.Configuration;
using Akka.Hosting;
using Akka.Remote.Hosting;
using Microsoft.Extensions.DependencyInjection;
using Rlp.Actors.Journals;
using Rlp.Actors.Nodes;
using Rlp.Actors.Runs;
using Rlp.Actors.Serialization;
using Rlp.Protocol;
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
    /// <exception cref="JournalUnavailableException">The journal cannot be opened.</exception>
    public static IServiceCollection AddRlpNode(this IServiceCollection services, NodeOptions options)
    {
        OpenMpWaiting.Prepare();
        Dispatchers.FillPool(ThreadPlan.Of(options.Threads));
        Directory.CreateDirectory(options.RunsFolder);
        options.Journal.Prepare();
        services.AddSingleton(options);
        services.AddSingleton(provider => new RunClient(provider.GetRequiredService<ActorSystem>(), options));
        return services.AddAkka(SystemName, (builder, _) => Configure(builder, options));
    }

    private static void Configure(AkkaConfigurationBuilder builder, NodeOptions options)
    {
        builder
            .AddHocon(Settings(options), HoconAddMode.Prepend)
            .WithJournal(options.Journal)
            .WithStrictSerialization()
            .WithCustomSerializer("rlp", [typeof(IRlpMessage)], system => new RlpSerializer(system))
            .WithRemoting(options.Host, options.Port)
            .WithClustering(new ClusterOptions { LogInfo = false })
            .WithShardingDistributedData(new ShardingDDataOptions { Durable = new DurableOptions { Keys = [] } })
            .WithSingleton<RunRegistryActor>(
                RunRegistryActor.Name,
                (_, registry, _) => Props.Create(() => new RunRegistryActor(options, () => registry.Get<TrainingRunActor>())),
                new ClusterSingletonOptions { LogSingletonIdentificationFailure = false }) // logged at every start, before the singleton could be there
            .WithActors((system, registry) =>
                registry.Register<NodeSupervisor>(system.ActorOf(Props.Create(() => new NodeSupervisor(options)), NodeSupervisor.Name)))
            .WithShardRegion<RolloutLaneActor>(
                LaneRegion,
                (_, registry, _) => _ => Props.Create(() => new RolloutLaneActor(registry.Get<TrainingRunActor>())),
                HashCodeMessageExtractor.Create(Shards, message => (message as ILaneMessage)?.LaneId),
                Sharded(PoisonPill.Instance))
            .WithShardRegion<TrainingRunActor>(
                RunRegion,
                (_, registry, _) => runId => Props.Create(
                    () => new TrainingRunActor(runId, options, registry.Get<RolloutLaneActor>(), registry.Get<RunRegistryActor>())),
                HashCodeMessageExtractor.Create(Shards, message => (message as IRunMessage)?.RunId),
                Sharded(TrainingRunActor.End.Instance))
            .AddStartup((system, _) =>
            {
                var cluster = Akka.Cluster.Cluster.Get(system);
                cluster.Join(cluster.SelfAddress); // a cluster of one
            });
    }

    private static ShardOptions Sharded(object stopMessage) => new()
    {
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
              # A cluster of one has nobody to wait for: the intervals decide how fast it starts and leaves.
              cluster {
                gossip-interval = 100ms
                leader-actions-interval = 100ms
                periodic-tasks-initial-delay = 50ms
                sharding { retry-interval = 100ms, updating-state-timeout = 2s, waiting-for-state-timeout = 2s }
                singleton.hand-over-retry-interval = 200ms
                singleton-proxy.singleton-identification-interval = 100ms
                distributed-data.gossip-interval = 200ms
              }
              coordinated-shutdown {
                run-by-clr-shutdown-hook = off # the host decides when the node ends: a signal must not take it from under a run that commits its checkpoint
                phases.cluster-exiting.timeout = 2s
                phases.cluster-sharding-shutdown-region.timeout = 5s
              }
            }
            """)).WithFallback(Akka.Persistence.Sql.SqlPersistence.DefaultConfiguration);

    private static string Quote(string text) => $"\"{text.Replace("\\", "\\\\").Replace("\"", "\\\"")}\"";
}
