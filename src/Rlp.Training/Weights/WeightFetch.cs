using System.Buffers;
using System.Security.Cryptography;
using Rlp.Models;

namespace Rlp.Training.Weights;

/// <summary>Brings the bytes of a version into an arena, piece by piece as they come, and compares their digest.</summary>
internal static class WeightFetch
{
    private const int Piece = 1 << 20; // bytes; a multiple of every element's size

    /// <summary>Returns when the arena holds the weights, whole; blocks the engine's thread meanwhile.</summary>
    /// <exception cref="WeightTransferException">No attempt brought them.</exception>
    public static void Into(ParameterArena arena, WeightReference reference, IWeightChannel channel, WeightTransferSettings settings)
    {
        var expected = arena.Layout.Length * arena.Values.element_size();
        if (reference.Bytes != expected)
        {
            throw new WeightTransferException(
                $"{reference} has {reference.Bytes} bytes, this node's network {expected}: both nodes must run the same recipe and program")
            { Final = true };
        }
        for (var attempt = 1; ; attempt++)
        {
            try
            {
                Task.Run(() => OnceAsync(arena, reference, channel, settings)).GetAwaiter().GetResult();
                return;
            }
            catch (WeightTransferException e) when (e.Final || attempt >= settings.Attempts)
            {
                throw e.Final ? e : new WeightTransferException($"{e.Message} (attempt {attempt} of {settings.Attempts})", e);
            }
            catch (WeightTransferException)
            {
                Thread.Sleep(settings.Backoff * Math.Pow(2, attempt - 1));
            }
        }
    }

    private static async Task OnceAsync(ParameterArena arena, WeightReference reference, IWeightChannel channel, WeightTransferSettings settings)
    {
        using var whole = new CancellationTokenSource(settings.LimitFor(reference.Bytes));
        using var progress = CancellationTokenSource.CreateLinkedTokenSource(whole.Token);
        using var sha = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        var buffer = ArrayPool<byte>.Shared.Rent(Piece);
        long received = 0;
        try
        {
            progress.CancelAfter(settings.StallTimeout);
            await using var stream = await channel.OpenAsync(reference, progress.Token);
            while (true)
            {
                var filled = await FillAsync(stream, buffer.AsMemory(0, Piece), progress, settings.StallTimeout);
                if (filled == 0) break;
                if (received + filled > reference.Bytes) throw new WeightTransferException($"{reference}: more than the expected {reference.Bytes} bytes came");
                if (filled % arena.Values.element_size() != 0) throw Short(reference, received + filled);
                arena.Values.CopyBytesFrom(received, buffer.AsSpan(0, filled));
                sha.AppendData(buffer, 0, filled);
                received += filled;
            }
        }
        catch (OperationCanceledException e)
        {
            throw new WeightTransferException(
                whole.IsCancellationRequested
                    ? $"{reference}: {received} of {reference.Bytes} bytes came in {settings.LimitFor(reference.Bytes)}, which is too slow"
                    : $"{reference}: nothing came for {settings.StallTimeout} after {received} of {reference.Bytes} bytes",
                e);
        }
        catch (IOException e)
        {
            throw new WeightTransferException($"{reference}: cut off after {received} of {reference.Bytes} bytes: {e.Message}", e);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
        if (received != reference.Bytes) throw Short(reference, received);
        var found = Convert.ToHexStringLower(sha.GetHashAndReset());
        if (found != reference.Sha256)
            throw new WeightTransferException($"{reference}: expected SHA-256 {reference.Sha256}, found {found}: the bytes were damaged on their way or are of another version");
    }

    private static WeightTransferException Short(WeightReference reference, long received) =>
        new($"{reference}: expected {reference.Bytes} bytes, found {received}");

    /// <summary>Reads until the buffer is full or the stream at its end; every byte that comes gives the next one its time.</summary>
    private static async Task<int> FillAsync(Stream stream, Memory<byte> buffer, CancellationTokenSource progress, TimeSpan stall)
    {
        var filled = 0;
        while (filled < buffer.Length)
        {
            progress.CancelAfter(stall);
            var read = await stream.ReadAsync(buffer[filled..], progress.Token);
            if (read == 0) break;
            filled += read;
        }
        return filled;
    }
}
