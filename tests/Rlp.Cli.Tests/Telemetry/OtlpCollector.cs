using System.Collections.Concurrent;
using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using ProtoBuf;

namespace Rlp.Cli.Tests.Telemetry;

/// <summary>A collector that takes OTLP over gRPC on a loopback port; its messages are those of opentelemetry-proto, as far as it needs them.</summary>
internal sealed class OtlpCollector : IAsyncDisposable
{
    private readonly WebApplication app;

    private OtlpCollector(WebApplication app) => this.app = app;

    public Uri Address => new(app.Urls.Single());

    /// <summary>In the order in which they came.</summary>
    public ConcurrentQueue<(string Instance, OtlpSpan Span)> Spans { get; } = new();

    /// <summary>Names of metrics by the node that sent them.</summary>
    public ConcurrentDictionary<(string Instance, string Metric), byte> Metrics { get; } = new();

    public static async Task<OtlpCollector> StartAsync()
    {
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0, listen => listen.Protocols = HttpProtocols.Http2));
        var collector = new OtlpCollector(builder.Build());
        collector.app.Run(collector.TakeAsync);
        await collector.app.StartAsync();
        return collector;
    }

    private async Task TakeAsync(HttpContext http)
    {
        using var body = new MemoryStream();
        await http.Request.Body.CopyToAsync(body);
        body.Position = 5; // gRPC's frame: compressed or not, and the length
        if (http.Request.Path == "/opentelemetry.proto.collector.trace.v1.TraceService/Export")
            foreach (var (instance, span) in Serializer.Deserialize<OtlpExport<OtlpSpan>>(body).All())
                Spans.Enqueue((instance, span));
        else
            foreach (var (instance, metric) in Serializer.Deserialize<OtlpExport<OtlpMetric>>(body).All())
                Metrics.TryAdd((instance, metric.Name), 0);
        http.Response.ContentType = "application/grpc";
        await http.Response.Body.WriteAsync(new byte[5]);
        http.Response.AppendTrailer("grpc-status", "0");
    }

    public ValueTask DisposeAsync() => app.DisposeAsync();
}

[ProtoContract]
internal sealed class OtlpExport<T>
{
    [ProtoMember(1)]
    public List<OtlpResource<T>> Resources { get; } = [];

    /// <summary>With the service.instance.id of who sent it.</summary>
    public IEnumerable<(string Instance, T Item)> All() => Resources.SelectMany(
        r => r.Scopes.SelectMany(s => s.Items).Select(item => (r.Resource?.Attributes.TextOf("service.instance.id") ?? "", item)));
}

[ProtoContract]
internal sealed class OtlpResource<T>
{
    [ProtoMember(1)]
    public OtlpAttributes? Resource { get; set; }

    [ProtoMember(2)]
    public List<OtlpScope<T>> Scopes { get; } = [];
}

[ProtoContract]
internal sealed class OtlpScope<T>
{
    [ProtoMember(2)]
    public List<T> Items { get; } = [];
}

[ProtoContract]
internal sealed class OtlpAttributes
{
    [ProtoMember(1)]
    public List<OtlpAttribute> Attributes { get; } = [];
}

[ProtoContract]
internal sealed class OtlpAttribute
{
    [ProtoMember(1)]
    public string Key { get; set; } = "";

    [ProtoMember(2)]
    public OtlpValue? Value { get; set; }
}

[ProtoContract]
internal sealed class OtlpValue
{
    [ProtoMember(1)]
    public string Text { get; set; } = "";
}

[ProtoContract]
internal sealed class OtlpSpan
{
    [ProtoMember(1)]
    public byte[] TraceId { get; set; } = [];

    [ProtoMember(2)]
    public byte[] Id { get; set; } = [];

    [ProtoMember(4)]
    public byte[] ParentId { get; set; } = [];

    [ProtoMember(5)]
    public string Name { get; set; } = "";

    [ProtoMember(9)]
    public List<OtlpAttribute> Attributes { get; } = [];
}

[ProtoContract]
internal sealed class OtlpMetric
{
    [ProtoMember(1)]
    public string Name { get; set; } = "";
}

internal static class OtlpAttributeList
{
    public static string TextOf(this List<OtlpAttribute> attributes, string key) => attributes.SingleOrDefault(a => a.Key == key)?.Value?.Text ?? "";
}
