using static Rlp.Models.Weights.ProblemList;
using static TorchSharp.torch;

namespace Rlp.Models.Weights;

/// <summary>A tensor and the file that holds it.</summary>
public sealed record StoredTensor(SafeTensorsFile File, TensorEntry Entry);

/// <summary>
/// The weights of a model on disk: one safetensors file, or the shards that an index names. Opening reads the heads only and collects what
/// is wrong with them; loading says everything that is wrong at once, before it changes anything.
/// </summary>
public sealed class WeightFiles : IDisposable
{
    public const string SingleFile = "model.safetensors";

    /// <summary>The output head: where the embedding is tied to it, a file may hold it as well, if it is equal.</summary>
    internal const string Head = "lm_head.weight";

    /// <summary>Buffers that older exports hold and that are computed from config.json: by the end of their names.</summary>
    private static readonly string[] Ignored = ["rotary_emb.inv_freq", "rotary_emb.cos_cached", "rotary_emb.sin_cached"];

    private static readonly string[] Embeddings = ["embed_tokens.weight", "embeddings.weight"];

    private readonly List<SafeTensorsFile> files = [];
    private readonly Dictionary<string, StoredTensor> tensors = new(StringComparer.Ordinal);
    private readonly List<string> problems = [];

    private WeightFiles(string path) => Path = path;

    /// <summary>The folder, or the one file.</summary>
    public string Path { get; }

    public IReadOnlyList<SafeTensorsFile> Files => files;

    /// <summary>By name. Those named by <see cref="Problems"/> may be missing here.</summary>
    public IReadOnlyDictionary<string, StoredTensor> Tensors => tensors;

    /// <summary>What is wrong with the files themselves, whatever they are to be loaded into.</summary>
    public IReadOnlyList<string> Problems => problems;

    /// <summary>
    /// Opens a .safetensors file, or a folder with model.safetensors or, where that is absent, the shards of model.safetensors.index.json.
    /// </summary>
    /// <exception cref="ModelFormatException">Nothing there, or an index that cannot be read.</exception>
    public static WeightFiles Open(string path)
    {
        var weights = new WeightFiles(path);
        try
        {
            var single = System.IO.Path.Combine(path, SingleFile);
            var index = System.IO.Path.Combine(path, ShardIndex.FileName);
            if (!Directory.Exists(path)) weights.Add(path);
            else if (File.Exists(single)) weights.Add(single);
            else if (File.Exists(index)) weights.AddShards(ShardIndex.Read(index));
            else throw new ModelFormatException(NothingThere(path));
        }
        catch
        {
            weights.Dispose();
            throw;
        }
        return weights;
    }

    /// <summary>
    /// Everything that keeps these files from being loaded into a network of this layout, with what was expected and what was found.
    /// </summary>
    public IReadOnlyList<string> ProblemsFor(ArenaLayout layout)
    {
        var result = Mismatches(layout);
        // Only what is otherwise sound can be read.
        if (result.Count == 0 && TiedTo(layout) is { } tied && tensors.TryGetValue(Head, out var head) && !Equal(head, tensors[tied.Name]))
            result.Add(
                $"'{Head}' differs from '{tied.Name}', but config.json ties them (tie_word_embeddings); "
                + $"set it to false to train two matrices, or remove '{Head}'");
        return result;
    }

    /// <summary>Checks by the heads alone, reading no weights, that the tensors of a layout are here and no others.</summary>
    /// <exception cref="ModelFormatException">Everything that is wrong, listed.</exception>
    public void RequireTensorsOf(ArenaLayout layout) => Refuse(Path, Mismatches(layout));

    private List<string> Mismatches(ArenaLayout layout)
    {
        var result = new List<string>(problems);
        var expected = new HashSet<string>(StringComparer.Ordinal);
        foreach (var slot in layout.Slots)
        {
            expected.Add(slot.Name);
            if (!tensors.TryGetValue(slot.Name, out var tensor)) result.Add($"{Quoted(slot.Name)} is missing (expected {Shape(slot.Shape)})");
            else Compare(tensor.Entry, slot.Shape, result);
        }
        foreach (var (name, tensor) in tensors)
        {
            if (expected.Contains(name) || Ignored.Any(end => name.EndsWith(end, StringComparison.Ordinal))) continue;
            if (name == Head && TiedTo(layout) is { } embedding) Compare(tensor.Entry, embedding.Shape, result);
            else result.Add($"{Quoted(name)} is not part of this model (found {tensor.Entry})");
        }
        return result;
    }

    /// <summary>Fills an arena, converting to the type of <see cref="ParameterArena.Master"/> (to the nearest value, to even at ties).</summary>
    /// <exception cref="ModelFormatException">
    /// Tensors missing, extra, misshaped, of another type, truncated, or a head that is tied and differs; all of them are listed. The arena
    /// is as it was.
    /// </exception>
    public void LoadInto(ParameterArena arena)
    {
        Refuse(Path, ProblemsFor(arena.Layout));
        Fill(arena);
    }

    /// <summary>The same into an arena that is made only once nothing is wrong: a config.json's sizes alone allocate nothing.</summary>
    /// <exception cref="ModelFormatException">As in <see cref="LoadInto"/>.</exception>
    public ParameterArena Load(ArenaLayout layout, bool trainable, Device? device = null, ScalarType dtype = ScalarType.Float32)
    {
        Refuse(Path, ProblemsFor(layout));
        var arena = new ParameterArena(layout, trainable, device, dtype);
        try
        {
            Fill(arena);
        }
        catch
        {
            arena.Dispose();
            throw;
        }
        return arena;
    }

    /// <summary>The tensors of a layout as they lie here, to be written elsewhere without being loaded.</summary>
    /// <exception cref="ModelFormatException">As in <see cref="LoadInto"/>.</exception>
    public IReadOnlyList<TensorSource> Sources(ArenaLayout layout, ScalarType dtype)
    {
        Refuse(Path, ProblemsFor(layout));
        return [.. layout.Slots.Select(slot => tensors[slot.Name])
            .Select(t => new TensorSource(t.Entry.Name, t.Entry.Shape, dtype, () => t.File.Pieces(t.Entry)))];
    }

    private void Fill(ParameterArena arena)
    {
        foreach (var slot in arena.Layout.Slots)
        {
            using var view = arena.View(slot);
            var (file, entry) = tensors[slot.Name];
            file.CopyTo(entry, view);
        }
        arena.RoundMaster();
    }

    private void Add(string path)
    {
        var file = SafeTensorsFile.Open(path);
        files.Add(file);
        problems.AddRange(file.Problems);
        foreach (var entry in file.Tensors.Values) tensors.Add(entry.Name, new StoredTensor(file, entry));
    }

    private void AddShards(IReadOnlyList<KeyValuePair<string, string>> map)
    {
        foreach (var shard in map.GroupBy(pair => pair.Value, pair => pair.Key))
        {
            var path = System.IO.Path.Combine(Path, shard.Key);
            if (!File.Exists(path))
            {
                problems.Add($"the shard '{shard.Key}', which {ShardIndex.FileName} says holds {shard.Count()} tensors, does not exist");
                continue;
            }
            SafeTensorsFile file;
            try
            {
                file = SafeTensorsFile.Open(path);
            }
            catch (ModelFormatException e)
            {
                problems.Add(e.Message);
                continue;
            }
            files.Add(file);
            problems.AddRange(file.Problems.Select(problem => $"{shard.Key}: {problem}"));
            var claimed = shard.ToHashSet(StringComparer.Ordinal);
            foreach (var name in claimed)
            {
                if (file.Tensors.TryGetValue(name, out var entry)) tensors.Add(name, new StoredTensor(file, entry));
                else problems.Add($"{Quoted(name)} is not in '{shard.Key}', where {ShardIndex.FileName} says it is");
            }
            problems.AddRange(file.Tensors.Values.Where(e => !claimed.Contains(e.Name))
                .Select(e => $"{Quoted(e.Name)} (found {e}) is in '{shard.Key}', where {ShardIndex.FileName} does not have it"));
        }
    }

    private static void Compare(TensorEntry found, long[] expected, List<string> problems)
    {
        if (TensorType.Read(found.Dtype) is null) problems.Add($"{Quoted(found.Name)} is {found}, expected {TensorType.Readable} {Shape(expected)}");
        else if (!found.Shape.SequenceEqual(expected)) problems.Add($"{Quoted(found.Name)} is {Shape(found.Shape)}, expected {Shape(expected)}");
    }

    /// <summary>The embedding of a network without a head of its own; null where it has one.</summary>
    private static ArenaSlot? TiedTo(ArenaLayout layout) =>
        layout.Slots.Any(s => s.Name == Head)
            ? null
            : layout.Slots.FirstOrDefault(s => Embeddings.Any(e => s.Name.EndsWith(e, StringComparison.Ordinal)));

    private static bool Equal(StoredTensor a, StoredTensor b)
    {
        using var noGradient = no_grad();
        foreach (var (x, y) in a.File.Pieces(a.Entry).Zip(b.File.Pieces(b.Entry)))
        {
            using var scope = NewDisposeScope();
            var equal = x.to(float32).Equals(y.to(float32));
            x.Dispose();
            y.Dispose();
            if (!equal) return false;
        }
        return true;
    }

    private static string NothingThere(string folder)
    {
        var other = Directory.EnumerateFiles(folder).Select(f => System.IO.Path.GetFileName(f))
            .FirstOrDefault(f => System.IO.Path.GetExtension(f) is ".bin" or ".pt" or ".pth" or ".h5" or ".gguf");
        return $"{folder}: neither {SingleFile} nor {ShardIndex.FileName} is there"
            + (other is null ? "" : $"; '{other}' is of another format, convert it to safetensors first");
    }

    public void Dispose()
    {
        foreach (var file in files) file.Dispose();
    }
}
