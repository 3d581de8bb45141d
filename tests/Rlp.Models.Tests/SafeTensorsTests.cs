using System.Buffers.Binary;
using System.Text;
using System.Text.Json;
using static TorchSharp.torch;

namespace Rlp.Models.Tests;

public sealed class SafeTensorsTests : IDisposable
{
    private readonly string folder = Directory.CreateTempSubdirectory("rlp-safetensors-").FullName;

    private string File(string name) => Path.Combine(folder, name);

    public void Dispose() => Directory.Delete(folder, recursive: true);

    [Fact]
    public void What_was_saved_loads_bit_for_bit()
    {
        using var decoder = TinyModels.Random(TinyModels.Config());
        SafeTensors.Save(File("a.safetensors"), decoder.Parameters);
        using var loaded = new ParameterArena(decoder.Parameters.Layout, trainable: false);
        SafeTensors.Load(File("a.safetensors"), loaded);

        Assert.Equal(decoder.Parameters.Sha256(), loaded.Sha256());
    }

    [Fact]
    public void The_file_is_laid_out_as_the_format_says()
    {
        SafeTensors.Save(File("b.safetensors"), [("x", tensor(new[] { 1f, 2f })), ("y", tensor(new[,] { { 3f } }))]);
        var bytes = System.IO.File.ReadAllBytes(File("b.safetensors"));
        var length = (int)BinaryPrimitives.ReadUInt64LittleEndian(bytes);
        using var header = JsonDocument.Parse(bytes.AsMemory(8, length));

        // Checkpoints are known by the digests of their files: not a byte may change.
        Assert.Equal("""{"x":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"y":{"dtype":"F32","shape":[1,1],"data_offsets":[8,12]}}""".PadRight(length), Encoding.UTF8.GetString(bytes, 8, length));
        Assert.Equal(112, length); // 110 and the padding
        Assert.Equal(8, header.RootElement.GetProperty("y").GetProperty("data_offsets")[0].GetInt64());
        Assert.Equal(3f, BitConverter.ToSingle(bytes, 8 + length + 8));
        Assert.Equal(8 + length + 12, bytes.Length);
    }

    [Fact]
    public void Missing_extra_and_misshaped_tensors_are_all_listed()
    {
        using var arena = new ParameterArena(TransformerDecoder.Layout(TinyModels.Config()), trainable: false);
        var tensors = arena.Layout.Slots.Where(s => s.Name != "model.norm.weight")
            .Select(s => (s.Name, s.Name == "model.layers.0.mlp.down_proj.weight" ? zeros(3, 4) : arena.View(s))).Append(("surplus", zeros(1))).ToList();
        SafeTensors.Save(File("c.safetensors"), tensors);

        var message = Assert.Throws<ModelFormatException>(() => SafeTensors.Load(File("c.safetensors"), arena)).Message;

        Assert.Contains("'model.norm.weight' is missing (expected [20])", message);
        Assert.Contains("'model.layers.0.mlp.down_proj.weight' is [3, 4], expected [20, 28]", message);
        Assert.Contains("'surplus' is not part of this model", message);
        Assert.Contains("c.safetensors", message);
    }

    [Theory]
    [InlineData(5)] // inside the length
    [InlineData(60)] // inside the header
    [InlineData(-4)] // the last tensor lacks an element
    public void A_truncated_file_is_refused_by_name(int length)
    {
        SafeTensors.Save(File("d.safetensors"), [("x", tensor(new[] { 1f, 2f, 3f }))]);
        var bytes = System.IO.File.ReadAllBytes(File("d.safetensors"));
        System.IO.File.WriteAllBytes(File("d.safetensors"), bytes[..(length < 0 ? bytes.Length + length : length)]);

        var message = Assert.Throws<ModelFormatException>(() => SafeTensors.Load(File("d.safetensors"), [("x", zeros(3))])).Message;
        Assert.Contains("d.safetensors", message);
    }

    [Theory]
    [InlineData("""{"x":{"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,12]}}""")] // the product overflows
    [InlineData("""{"x":{"dtype":"F32","shape":[3],"data_offsets":[-12,0]}}""")]
    [InlineData("""{"x":{"dtype":"F32","shape":[3],"data_offsets":[4,16]}}""")]
    [InlineData("""{"x":{"dtype":"F32","shape":[-3],"data_offsets":[0,12]}}""")]
    [InlineData("""{"x":{"dtype":"I8","shape":[12],"data_offsets":[0,12]}}""")]
    [InlineData("""{"x":{"shape":[3],"data_offsets":[0,12]}}""")]
    [InlineData("""[1]""")]
    [InlineData("""{"x":""")]
    public void A_hostile_header_is_refused(string header)
    {
        var json = Encoding.UTF8.GetBytes(header);
        var bytes = new byte[8 + json.Length + 12];
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, (ulong)json.Length);
        json.CopyTo(bytes, 8);
        System.IO.File.WriteAllBytes(File("e.safetensors"), bytes);

        Assert.Throws<ModelFormatException>(() => SafeTensors.Load(File("e.safetensors"), [("x", zeros(3))]));
    }
}
