namespace Rlp.Models.Tests;

public sealed class DecoderConfigTests : IDisposable
{
    private readonly string path = Path.Combine(Directory.CreateTempSubdirectory("rlp-config-").FullName, "config.json");

    public void Dispose() => Directory.Delete(Path.GetDirectoryName(path)!, recursive: true);

    [Fact]
    public void Reads_back_what_it_writes()
    {
        var config = TinyModels.Config(heads: 3, kvHeads: 1, headDim: 8, tied: false) with { RopeTheta = 1e6, RmsNormEps = 1e-5 };
        File.WriteAllText(path, config.ToJson());
        Assert.Equal(config, DecoderConfig.Read(path));
    }

    [Theory]
    [InlineData("\"model_type\": \"qwen3\"", "\"model_type\": \"mamba\"", "model_type")]
    [InlineData("\"hidden_act\": \"silu\"", "\"hidden_act\": \"gelu\"", "hidden_act")]
    [InlineData("\"attention_bias\": false", "\"attention_bias\": true", "attention_bias")]
    [InlineData("\"num_key_value_heads\": 2", "\"num_key_value_heads\": 3", "multiple")]
    [InlineData("\"head_dim\": 6", "\"head_dim\": 7", "odd")]
    [InlineData("\"hidden_size\": 20", "\"hidden_size\": \"20\"", "hidden_size")]
    [InlineData("\"hidden_size\": 20", "\"hidden_size\": 0", "hidden_size")]
    [InlineData("\"tie_word_embeddings\"", "\"rope_scaling\": {\"type\": \"yarn\"}, \"tie_word_embeddings\"", "rope_scaling")]
    public void Refuses_by_name_what_it_cannot_compute(string original, string changed, string named)
    {
        var json = TinyModels.Config().ToJson();
        Assert.Contains(original, json);
        File.WriteAllText(path, json.Replace(original, changed));

        var message = Assert.Throws<ModelFormatException>(() => DecoderConfig.Read(path)).Message;
        Assert.Contains(named, message);
        Assert.Contains("config.json", message);
    }
}
