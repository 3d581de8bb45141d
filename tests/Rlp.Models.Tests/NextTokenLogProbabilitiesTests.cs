using System.Runtime.InteropServices;
using static TorchSharp.torch;

namespace Rlp.Models.Tests;

public sealed class NextTokenLogProbabilitiesTests
{
    [Theory]
    [InlineData(1, 1)] // less than a row
    [InlineData(3 * 23, 3)] // 10 = 3 + 3 + 3 + 1
    [InlineData((5 * 23) + 22, 5)]
    [InlineData(1 << 20, 10)]
    public void Chunks_of_positions_give_what_the_logits_of_all_at_once_give(int logitsAtOnce, int rows)
    {
        using var noGradient = no_grad();
        using var decoder = TinyModels.Random("qwen3");
        long[] ids = [.. Enumerable.Range(0, 10).Select(i => (i * 7L) % 23)];
        using var output = new MemoryStream();
        var reports = new List<int>();
        NextTokenLogProbabilities.Full(decoder, ids, output, reports.Add, logitsAtOnce);

        var expected = nn.functional.log_softmax(decoder.Logits(decoder.Hidden(tensor(ids).unsqueeze(0))), -1).data<float>().ToArray();
        var found = MemoryMarshal.Cast<byte, float>(output.ToArray()).ToArray();
        Assert.Equal(expected.Length, found.Length);
        Assert.All(expected.Zip(found, (a, b) => a - b), difference => Assert.InRange(difference, -1e-5f, 1e-5f));
        Assert.Equal(rows, reports[0]);
        Assert.Equal(10, reports[^1]);
    }
}
