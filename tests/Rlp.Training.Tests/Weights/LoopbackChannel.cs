using Rlp.Training.Weights;

namespace Rlp.Training.Tests.Weights;

/// <summary>The way between nodes without a network. <see cref="Way"/> is the tests' means to damage, cut or delay what comes along it.</summary>
internal sealed class LoopbackChannel : IWeightChannel
{
    private int opened;

    /// <summary>The node that publishes a name.</summary>
    public Func<string, NodeWeights> Owner { get; set; } = name => throw new InvalidOperationException($"nobody publishes {name}");

    /// <summary>What becomes of the bytes of the n-th transfer, from 1 on.</summary>
    public Func<int, Stream, Stream> Way { get; set; } = (_, stream) => stream;

    /// <summary>Transfers that were begun.</summary>
    public int Opened => Volatile.Read(ref opened);

    public string Node => "loopback";

    public string UrlOf(string runId, string name, long version) => $"loopback://{runId}/{name}/{version}";

    public Task<Stream> OpenAsync(WeightReference reference, CancellationToken cancellation)
    {
        var published = Owner(reference.Name).Find(reference.RunId, reference.Name)
            ?? throw new WeightTransferException($"{reference} is not published") { Final = true };
        return Task.FromResult(Way(Interlocked.Increment(ref opened), new Served(published, reference)));
    }

    /// <summary>What an endpoint sends: the bytes of one version, or an end in the middle.</summary>
    private sealed class Served(PublishedWeights published, WeightReference reference) : ReadOnlyStream
    {
        private long sent;

        protected override int Next(Span<byte> into)
        {
            var count = (int)Math.Min(into.Length, published.Bytes - sent);
            if (!published.TryCopy(reference.Version, reference.Sha256, sent, into[..count])) throw new IOException($"version {reference.Version} is gone");
            sent += count;
            return count;
        }
    }
}

/// <summary>A stream that can only be read to its end.</summary>
internal abstract class ReadOnlyStream : Stream
{
    public override bool CanRead => true;

    public override bool CanSeek => false;

    public override bool CanWrite => false;

    public override long Length => throw new NotSupportedException();

    public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

    /// <summary>The next bytes, at most as many as there is room for; 0 at the end.</summary>
    protected abstract int Next(Span<byte> into);

    public override int Read(byte[] buffer, int offset, int count) => Next(buffer.AsSpan(offset, count));

    public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) => new(Next(buffer.Span));

    public override void Flush()
    {
    }

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
}
