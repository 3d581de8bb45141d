using System.Runtime.InteropServices;
using System.Text.Json;
using Rlp.Models.Weights;
using static TorchSharp.torch;

namespace Rlp.Models.Tests.Weights;

public sealed class WeightFilesTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Theory]
    [InlineData("F16", 5)]
    [InlineData("BF16", 8)]
    public void Every_number_of_sixteen_bits_loads_as_its_value(string type, int exponentBits)
    {
        ushort[] bits = [.. Enumerable.Range(0, 1 << 16).Select(i => (ushort)i)];
        RawFile.Write(folder["a.safetensors"], ("x", type, [256, 256], MemoryMarshal.AsBytes<ushort>(bits).ToArray()));
        using var arena = Load("a.safetensors", Matrix("x", 256, 256), ScalarType.Float32);

        var values = TinyLayout.Values(arena, "x");
        Assert.All(bits, b => Assert.Equal((float)HalfPrecision.FromBits(b, exponentBits), values[b]));
    }

    [Theory]
    [InlineData("F32")]
    [InlineData("F16")]
    public void A_bfloat16_arena_holds_the_nearest_values_and_even_ones_at_ties(string type)
    {
        float[] values;
        byte[] data;
        if (type == "F32")
        {
            // Random bits, and beside each bfloat16 the float exactly between it and the next, one below and one above.
            var random = new Random(3);
            uint[] bits = [.. Enumerable.Range(0, 3000).Select(_ => (uint)random.NextInt64(1L << 32)),
                .. Enumerable.Range(0, 3000).Select(_ => (uint)random.Next(1 << 16) << 16).SelectMany(b => new[] { b | 0x7fff, b | 0x8000, b | 0x8001 })];
            values = [.. bits.Select(BitConverter.UInt32BitsToSingle).Where(float.IsFinite), float.PositiveInfinity, float.NegativeInfinity, -0f, float.Epsilon];
            data = MemoryMarshal.AsBytes<float>(values).ToArray();
        }
        else
        {
            ushort[] bits = [.. Enumerable.Range(0, 1 << 16).Select(i => (ushort)i).Where(b => double.IsFinite(HalfPrecision.FromBits(b, 5)))];
            values = [.. bits.Select(b => (float)HalfPrecision.FromBits(b, 5))];
            data = MemoryMarshal.AsBytes<ushort>(bits).ToArray();
        }
        RawFile.Write(folder["a.safetensors"], ("x", type, [values.Length, 1], data));
        using var arena = Load("a.safetensors", Matrix("x", values.Length, 1), ScalarType.BFloat16);

        var loaded = TinyLayout.Values(arena, "x");
        Assert.Equal(ScalarType.BFloat16, arena.Dtype);
        Assert.Equal(values.Select(v => (float)HalfPrecision.ToBFloat16(v)), loaded);
        Assert.Equal(values.Select(float.IsNegative), loaded.Select(float.IsNegative)); // also of zeros
    }

    [Theory]
    [InlineData(ScalarType.Float32)]
    [InlineData(ScalarType.BFloat16)]
    public void A_tensor_of_several_pieces_loads_bit_for_bit(ScalarType type)
    {
        var layout = Matrix("x", 3, (SafeTensorsFile.Piece / 2) + 5);
        using var arena = TinyLayout.Random(layout, dtype: type);
        SafeTensors.Save(folder["a.safetensors"], arena);
        using var loaded = Load("a.safetensors", layout, type);
        Assert.Equal(arena.Sha256(), loaded.Sha256());
    }

    [Fact]
    public void NaN_stays_NaN_in_every_type()
    {
        RawFile.Write(folder["a.safetensors"], ("x", "F32", [1, 3], MemoryMarshal.AsBytes<float>([float.NaN, BitConverter.UInt32BitsToSingle(0x7f800001), 1]).ToArray()));
        using var arena = Load("a.safetensors", Matrix("x", 1, 3), ScalarType.BFloat16);
        Assert.Equal([float.NaN, float.NaN, 1], TinyLayout.Values(arena, "x"));
    }

    [Fact]
    public void Fused_tensors_lie_side_by_side_in_the_leaf()
    {
        using var arena = TinyLayout.Random(TinyLayout.Make());
        SafeTensors.Save(folder["model.safetensors"], arena);
        using var loaded = Load("", TinyLayout.Make(), ScalarType.Float32);

        using var rows = loaded["0.qkv"].narrow(0, 6, 3);
        Assert.Equal(TinyLayout.Values(arena, "model.layers.0.self_attn.k_proj.weight"), rows.contiguous().data<float>().ToArray());
    }

    [Fact]
    public void Everything_that_is_wrong_is_said_at_once_and_the_arena_stays_as_it_was()
    {
        RawFile.Write(folder["model-00001-of-00003.safetensors"],
            (TinyLayout.Embedding, "F32", [11, 4], new byte[11 * 4 * 4]),
            (TinyLayout.Down, "I32", [5, 7], new byte[5 * 7 * 4]),
            ("surplus", "BF16", [2], new byte[4]),
            ("unlisted", "F32", [1], new byte[4]));
        RawFile.Write(folder["model-00002-of-00003.safetensors"], ("model.layers.0.self_attn.q_proj.weight", "F32", [6, 5], new byte[6 * 5 * 4]));
        File.WriteAllBytes(folder["model-00002-of-00003.safetensors"], File.ReadAllBytes(folder["model-00002-of-00003.safetensors"])[..^8]);
        Index(
            (TinyLayout.Embedding, "model-00001-of-00003.safetensors"),
            (TinyLayout.Down, "model-00001-of-00003.safetensors"),
            ("surplus", "model-00001-of-00003.safetensors"),
            ("model.layers.0.self_attn.k_proj.weight", "model-00001-of-00003.safetensors"),
            ("model.layers.0.self_attn.q_proj.weight", "model-00002-of-00003.safetensors"),
            ("model.layers.0.self_attn.v_proj.weight", "model-00003-of-00003.safetensors"));
        using var arena = TinyLayout.Random(TinyLayout.Make());
        var before = arena.Sha256();
        using var weights = WeightFiles.Open(folder.Path);

        var message = Assert.Throws<ModelFormatException>(() => weights.LoadInto(arena)).Message;

        Assert.Contains(folder.Path, message);
        Assert.Contains($"'{TinyLayout.Embedding}' is [11, 4], expected [11, 5]", message);
        Assert.Contains($"'{TinyLayout.Down}' is I32 [5, 7], expected F32, F16 or BF16 [5, 7]", message);
        Assert.Contains("'surplus' is not part of this model (found BF16 [2])", message);
        Assert.Contains("'unlisted' (found F32 [1]) is in 'model-00001-of-00003.safetensors', where model.safetensors.index.json does not have it", message);
        Assert.Contains("'model.layers.0.self_attn.k_proj.weight' is not in 'model-00001-of-00003.safetensors', where", message);
        Assert.Contains("model-00002-of-00003.safetensors: 'model.layers.0.self_attn.q_proj.weight', F32 [6, 5], lies at [0, 120), but the file ends after 112", message);
        Assert.Contains("the shard 'model-00003-of-00003.safetensors'", message);
        Assert.Contains($"'{TinyLayout.Norm}' is missing (expected [5])", message);
        Assert.Equal(before, arena.Sha256());
    }

    [Theory]
    [InlineData("../model.safetensors")]
    [InlineData("/etc/model.safetensors")]
    [InlineData("sub/model.safetensors")]
    [InlineData(@"..\\model.safetensors")]
    [InlineData("C:model.safetensors")]
    [InlineData("model.bin")]
    [InlineData("")]
    [InlineData(".safetensors")]
    public void An_index_that_names_a_file_elsewhere_is_refused(string shard)
    {
        File.WriteAllText(folder["model.safetensors.index.json"], $$$"""{"weight_map":{"x":"{{{shard}}}"}}""");
        var message = Assert.Throws<ModelFormatException>(() => WeightFiles.Open(folder.Path)).Message;
        Assert.Contains("expected the name of a .safetensors file in the same folder", message);
    }

    [Theory]
    [InlineData("[]")]
    [InlineData("{}")]
    [InlineData("""{"weight_map":[]}""")]
    [InlineData("""{"weight_map":{"x":1}}""")]
    [InlineData("""{"weight_map":{"x":"a.safetensors","x":"a.safetensors"}}""")]
    [InlineData("""{"weight_map":{},"weight_map":{}}""")]
    [InlineData("""{"weight_map":{"x":"a.safetensors"}""")]
    [InlineData("""{"metadata":[[[[[[[[[[[[]]]]]]]]]]]],"weight_map":{}}""")]
    public void A_damaged_index_is_refused_by_name(string json)
    {
        File.WriteAllText(folder["model.safetensors.index.json"], json);
        Assert.Contains("model.safetensors.index.json: not an index", Assert.Throws<ModelFormatException>(() => WeightFiles.Open(folder.Path)).Message);
    }

    [Fact]
    public void A_folder_without_weights_says_what_was_looked_for()
    {
        File.WriteAllText(folder["pytorch_model.bin"], "");
        var message = Assert.Throws<ModelFormatException>(() => WeightFiles.Open(folder.Path)).Message;
        Assert.Contains("model.safetensors", message);
        Assert.Contains("'pytorch_model.bin' is of another format", message);
    }

    [Fact]
    public void Computed_buffers_are_ignored_and_no_others()
    {
        Save(TinyLayout.Make(), ("model.layers.0.self_attn.rotary_emb.inv_freq", "F32", [2], new byte[8]));
        Load("", TinyLayout.Make(), ScalarType.Float32).Dispose();

        Save(TinyLayout.Make(), ("model.layers.0.self_attn.bias", "F32", [2], new byte[8]));
        Assert.Contains("'model.layers.0.self_attn.bias' is not part", Assert.Throws<ModelFormatException>(() => Load("", TinyLayout.Make(), ScalarType.Float32)).Message);
    }

    [Fact]
    public void A_head_in_the_file_of_a_tied_model_must_equal_the_embedding()
    {
        var layout = TinyLayout.Make();
        var embedding = MemoryMarshal.AsBytes<float>(Enumerable.Range(0, 55).Select(i => i * 0.5f).ToArray()).ToArray();
        Save(layout, (TinyLayout.Head, "F32", [11, 5], embedding));
        using var arena = Load("", layout, ScalarType.Float32);
        Assert.Single(arena.Layout.Leaves, l => l.Length == 55); // one matrix, trained as one

        embedding[^1] ^= 1;
        Save(layout, (TinyLayout.Head, "F32", [11, 5], embedding));
        var message = Assert.Throws<ModelFormatException>(() => Load("", layout, ScalarType.Float32)).Message;
        Assert.Contains("'lm_head.weight' differs from 'model.embed_tokens.weight'", message);
        Assert.Contains("tie_word_embeddings", message);

        Save(layout, (TinyLayout.Head, "F32", [5, 11], embedding));
        Assert.Contains("'lm_head.weight' is [5, 11], expected [11, 5]", Assert.Throws<ModelFormatException>(() => Load("", layout, ScalarType.Float32)).Message);
    }

    [Fact]
    public void Nothing_is_allocated_for_a_network_that_the_files_do_not_hold()
    {
        Save(TinyLayout.Make());
        var huge = Matrix(TinyLayout.Embedding, 1 << 24, 1 << 24); // 2^50 bytes: allocating them would throw something else
        Assert.Contains("expected [16777216, 16777216]", Assert.Throws<ModelFormatException>(() => Load("", huge, ScalarType.Float32)).Message);
    }

    /// <summary>A single file of the layout's tensors, of which each element is half its index, and of others.</summary>
    private void Save(ArenaLayout layout, params (string, string, long[], byte[])[] others) => RawFile.Write(folder["model.safetensors"],
        [.. layout.Slots.Select(s => (s.Name, "F32", s.Shape, MemoryMarshal.AsBytes<float>(Enumerable.Range(0, (int)s.Length).Select(i => i * 0.5f).ToArray()).ToArray())), .. others]);

    private void Index(params (string Tensor, string Shard)[] entries) => File.WriteAllText(folder["model.safetensors.index.json"],
        JsonSerializer.Serialize(new { weight_map = entries.ToDictionary(e => e.Tensor, e => e.Shard) }));

    private ParameterArena Load(string name, ArenaLayout layout, ScalarType type)
    {
        using var weights = WeightFiles.Open(folder[name]);
        return weights.Load(layout, trainable: false, dtype: type);
    }

    private static ArenaLayout Matrix(string name, long rows, long columns)
    {
        var layout = new ArenaLayout();
        layout.AddMatrix("matrix", columns, (name, rows));
        return layout;
    }
}
