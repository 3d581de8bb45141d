using System.Text;
using Rlp.Models.Weights;

namespace Rlp.Models.Tests.Weights;

public sealed class SafeTensorsHeaderTests : IDisposable
{
    private const string Sound = """{"__metadata__":{"format":"pt"},"x":{"dtype":"F32","shape":[3],"data_offsets":[0,12]},"y":{"dtype":"BF16","shape":[2,1],"data_offsets":[12,16]}}""";

    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Fact]
    public void A_sound_head_gives_types_shapes_and_places()
    {
        using var file = Open(RawFile.Bytes(Sound, 16));

        Assert.Empty(file.Problems);
        var y = file.Tensors["y"];
        Assert.Equal(("BF16", 8 + Sound.Length + 12L, 8 + Sound.Length + 16L), (y.Dtype, y.Begin, y.End));
        Assert.Equal([2, 1], y.Shape);
        Assert.Equal(["x", "y"], file.Tensors.Keys.Order());
    }

    [Theory]
    [InlineData("[1]", "object")]
    [InlineData("""{"x":""", "damaged")]
    [InlineData("""{"x":7}""", "'x' is no object")]
    [InlineData("""{"x":{"shape":[3],"data_offsets":[0,12]}}""", "dtype")]
    [InlineData("""{"x":{"dtype":"F32","data_offsets":[0,12]}}""", "shape")]
    [InlineData("""{"x":{"dtype":"F32","shape":[3]}}""", "data_offsets")]
    [InlineData("""{"x":{"dtype":"F32","shape":[3],"data_offsets":[0]}}""", "data_offsets")]
    [InlineData("""{"x":{"dtype":"F32","shape":[3],"data_offsets":[0,6,12]}}""", "more than 2 numbers")]
    [InlineData("""{"x":{"dtype":"F32","shape":[3.0],"data_offsets":[0,12]}}""", "whole numbers")]
    [InlineData("""{"x":{"dtype":"F32","shape":[99999999999999999999],"data_offsets":[0,12]}}""", "whole numbers")]
    [InlineData("""{"x":{"dtype":"F32","shape":"3","data_offsets":[0,12]}}""", "no list")]
    [InlineData("""{"x":{"dtype":"F32","shape":[3],"shape":[3],"data_offsets":[0,12]}}""", "two shapes")]
    [InlineData("""{"x":{"dtype":"F32","shape":[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,3],"data_offsets":[0,12]}}""", "more than 16")]
    [InlineData("""{"x":{"dtype":"F32","shape":[3],"data_offsets":[0,12]},"x":{"dtype":"F32","shape":[3],"data_offsets":[0,12]}}""", "'x' is there twice")]
    [InlineData("""{"x":{"dtype":"F32","shape":[3],"data_offsets":[0,12]}} trailing""", "damaged")]
    [InlineData("""{"__metadata__":{"format":1},"x":{"dtype":"F32","shape":[3],"data_offsets":[0,12]}}""", "__metadata__")]
    [InlineData("""{"\ud800":{"dtype":"F32","shape":[3],"data_offsets":[0,12]}}""", "damaged")]
    [InlineData("""{"x":{"dtype":"F32","shape":[3],"data_offsets":[0,12],"more":[[[[[[[[[[[[]]]]]]]]]]]]}}""", "depth")]
    public void A_head_that_is_no_table_of_tensors_is_refused(string header, string named)
    {
        var message = Assert.Throws<ModelFormatException>(() => Open(RawFile.Bytes(header, 12))).Message;
        Assert.Contains(named, message);
        Assert.Contains("a.safetensors", message);
    }

    [Theory]
    [InlineData("""{"x":{"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,12]}}""", "a shape that no tensor can have")]
    [InlineData("""{"x":{"dtype":"F32","shape":[4611686018427387904,4,0],"data_offsets":[0,0]}}""", "a shape that no tensor can have")]
    [InlineData("""{"x":{"dtype":"F32","shape":[-3],"data_offsets":[0,12]}}""", "a shape that no tensor can have")]
    [InlineData("""{"x":{"dtype":"F4","shape":[3],"data_offsets":[0,12]}}""", "a shape that no tensor can have")]
    [InlineData("""{"x":{"dtype":"F32","shape":[3],"data_offsets":[-12,0]}}""", "no range of bytes")]
    [InlineData("""{"x":{"dtype":"F32","shape":[3],"data_offsets":[12,0]}}""", "no range of bytes")]
    [InlineData("""{"x":{"dtype":"F32","shape":[3],"data_offsets":[-9223372036854775808,9223372036854775807]}}""", "no range of bytes")]
    [InlineData("""{"x":{"dtype":"F32","shape":[3],"data_offsets":[4,16]}}""", "truncated")]
    [InlineData("""{"x":{"dtype":"F32","shape":[2],"data_offsets":[0,12]}}""", "needs 8 bytes")]
    [InlineData("""{"x":{"dtype":"Q5","shape":[12],"data_offsets":[0,12]}}""", "a type that safetensors does not know")]
    [InlineData("""{"x":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}""", "the last 4 bytes belong to no tensor")]
    [InlineData("""{"x":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}}""", "bytes [0, 4) before 'x' belong to no tensor")]
    [InlineData("""{"x":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"y":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}}""", "'y' overlaps 'x'")]
    [InlineData("{}", "the last 12 bytes belong to no tensor")]
    public void A_tensor_that_lies_where_it_cannot_is_a_problem(string header, string named)
    {
        using var file = Open(RawFile.Bytes(header, 12));
        Assert.Contains(named, Assert.Single(file.Problems));
    }

    [Fact]
    public void All_truncated_tensors_are_listed()
    {
        var bytes = RawFile.Bytes(Sound, 16);
        using var file = Open(bytes[..^5]);
        Assert.Contains(file.Problems, p => p.StartsWith("'x', F32 [3], lies at [0, 12), but the file ends after 11", StringComparison.Ordinal));
        Assert.Contains(file.Problems, p => p.StartsWith("'y', BF16 [2, 1], lies at [12, 16), but the file ends after 11", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData(ulong.MaxValue)]
    [InlineData((ulong)long.MaxValue)]
    [InlineData(1UL << 40)]
    [InlineData(100_000_000UL)]
    public void A_length_that_the_file_does_not_have_allocates_nothing(ulong length)
    {
        var bytes = RawFile.Bytes(Sound, 16);
        BitConverter.TryWriteBytes(bytes, length);
        var before = GC.GetAllocatedBytesForCurrentThread();
        var message = Assert.Throws<ModelFormatException>(() => Open(bytes)).Message;
        Assert.Contains($"claims {length} bytes", message);
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 1 << 20);
    }

    /// <summary>
    /// Bytes changed, cut, doubled and numbers replaced: whatever comes of it is a file, a list of problems or a refusal, and costs little.
    /// </summary>
    [Fact]
    public void Damage_of_any_kind_never_ends_in_another_exception()
    {
        var random = new Random(7);
        var sound = RawFile.Bytes(Sound, 16);
        string[] numbers = ["-1", "0", "4", "16", "9223372036854775807", "-9223372036854775808", "18446744073709551616", "1e9", "[]", "null", "{}", "\"F32\""];
        int refused = 0, listed = 0, sane = 0;
        for (var i = 0; i < 4000; i++)
        {
            var bytes = sound.ToList();
            for (var changes = random.Next(1, 4); changes > 0; changes--)
            {
                var at = random.Next(bytes.Count);
                switch (random.Next(5))
                {
                    case 0: bytes[at] = (byte)random.Next(256); break;
                    case 1: bytes.RemoveRange(at, Math.Min(random.Next(1, 20), bytes.Count - at - 1)); break;
                    case 2: bytes.InsertRange(at, bytes.GetRange(at, Math.Min(random.Next(1, 60), bytes.Count - at))); break;
                    case 3: bytes[at] = (byte)"{}[],:\"0-9e"[random.Next(11)]; break;
                    default:
                        // A whole number of the header, replaced; the length in front follows so that the header is reached.
                        var text = Encoding.Latin1.GetString([.. bytes.Skip(8)]);
                        var digits = System.Text.RegularExpressions.Regex.Matches(text, @"(?<=[\[,])\d+");
                        if (digits.Count == 0) break;
                        var match = digits[random.Next(digits.Count)];
                        text = text[..match.Index] + numbers[random.Next(numbers.Length)] + text[(match.Index + match.Length)..];
                        bytes = [.. BitConverter.GetBytes((ulong)Math.Max(0, text.Length - 16)), .. Encoding.Latin1.GetBytes(text)];
                        break;
                }
            }
            var before = GC.GetAllocatedBytesForCurrentThread();
            try
            {
                using var file = Open([.. bytes]);
                if (file.Problems.Count > 0) listed++;
                else sane++;
            }
            catch (ModelFormatException)
            {
                refused++;
            }
            Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 1 << 20);
        }
        Assert.True(refused > 500 && listed > 100 && sane > 10, $"the damage is one-sided: {refused} refused, {listed} with problems, {sane} sound");
    }

    private SafeTensorsFile Open(byte[] bytes)
    {
        File.WriteAllBytes(folder["a.safetensors"], bytes);
        return SafeTensorsFile.Open(folder["a.safetensors"]);
    }
}
