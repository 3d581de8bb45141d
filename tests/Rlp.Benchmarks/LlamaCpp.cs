using System.Numerics;
using System.Reflection;
using System.Runtime.InteropServices;

namespace Rlp.Benchmarks;

/// <summary>
/// The peer of the decoding figures: llama.cpp's shared library, called through its C interface (include/llama.h of the version below; the
/// structs here are its structs, member by member). Keys and values are float32 like ours.
/// </summary>
internal sealed class LlamaCpp : IDisposable
{
    public const string Version = "v0.5.0";

    /// <summary>Fetches the library; nothing here does that by itself.</summary>
    public const string Fetch =
        "mkdir -p ~/.cache/rlp-bench && cd ~/.cache/rlp-bench && npm pack @node-llama-cpp/linux-x64@3.22.1 "
        + "&& tar xzf node-llama-cpp-linux-x64-3.22.1.tgz";

    private const int PhysicalBatch = 512; // tokens that llama.cpp computes at once, its default

    private static readonly string Folder = Path.Combine(
        Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".cache", "rlp-bench", "package", "bins", "linux-x64");

    private static readonly Native.Log Silent = (_, _, _) => { };

    private static bool initialised;

    private readonly int vocabularySize;
    private readonly IntPtr model;
    private readonly IntPtr context;
    private readonly IntPtr memory;

    /// <param name="gguf">The model's file.</param>
    /// <param name="sequences">Most sequences at once; llama.cpp takes at most 256.</param>
    /// <param name="length">Tokens of the longest sequence.</param>
    /// <param name="batch">Most tokens of one call.</param>
    public LlamaCpp(string gguf, int vocabularySize, int sequences, int length, int batch, int threads)
    {
        this.vocabularySize = vocabularySize;
        Initialise();
        var modelSettings = Native.llama_model_default_params();
        model = Native.llama_model_load_from_file(gguf, modelSettings);
        if (model == IntPtr.Zero) throw new InvalidOperationException($"llama.cpp does not load {gguf}");
        var settings = Native.llama_context_default_params();
        settings.Context = (uint)(sequences * length);
        settings.Batch = (uint)batch;
        settings.PhysicalBatch = PhysicalBatch;
        settings.Sequences = (uint)sequences;
        settings.Threads = threads;
        settings.BatchThreads = threads;
        settings.KeyType = 0; // float32
        settings.ValueType = 0;
        settings.FlashAttention = 0; // its flash attention rounds to float16 on the way: logits 2e-3 apart, where this way they are 1e-6
        settings.Unified = 0; // with one pool for all sequences each would multiply with the keys of all: slower from 16 on
        settings.NoTimings = 1;
        context = Native.llama_init_from_model(model, settings);
        if (context == IntPtr.Zero) throw new InvalidOperationException("llama.cpp makes no context");
        memory = Native.llama_get_memory(context);
    }

    /// <summary>Whether the library lies where <see cref="Fetch"/> puts it.</summary>
    public static bool IsFetched => File.Exists(Path.Combine(Folder, $"libllama.{Version}.so"));

    /// <summary>Logits behind the last of the tokens, [V].</summary>
    public float[] LastLogits(int[] tokens)
    {
        Native.llama_memory_clear(memory, data: 1);
        Decode([.. tokens.Select((token, position) => new Entry(token, position, 0, position == tokens.Length - 1))]);
        return Logits(tokens.Length - 1).ToArray();
    }

    /// <summary>
    /// Computes each prefix once, copies it to the sequences of its group, and continues all of them token by token with the likeliest token.
    /// </summary>
    /// <returns>Tokens appended: <paramref name="newTokens"/> for each of the prefixes' <paramref name="groupSize"/> sequences.</returns>
    public int Continue(IReadOnlyList<int[]> prefixes, int groupSize, int newTokens)
    {
        Native.llama_memory_clear(memory, data: 0);
        var length = prefixes[0].Length;
        Decode([.. prefixes.SelectMany((prefix, group) => prefix.Select((token, at) => new Entry(token, at, group * groupSize, at == length - 1)))]);
        var next = new int[prefixes.Count * groupSize];
        for (var group = 0; group < prefixes.Count; group++)
        {
            var token = Likeliest(Logits(((group + 1) * length) - 1));
            for (var member = 0; member < groupSize; member++)
            {
                next[(group * groupSize) + member] = token;
                if (member > 0) Native.llama_memory_seq_cp(memory, group * groupSize, (group * groupSize) + member, -1, -1);
            }
        }
        for (var step = 0; step < newTokens; step++)
        {
            Decode([.. next.Select((token, sequence) => new Entry(token, length + step, sequence, true))]);
            for (var sequence = 0; sequence < next.Length; sequence++) next[sequence] = Likeliest(Logits(sequence));
        }
        return next.Length * newTokens;
    }

    private readonly record struct Entry(int Token, int Position, int Sequence, bool Output);

    private unsafe void Decode(Entry[] entries)
    {
        int[] tokens = [.. entries.Select(e => e.Token)], positions = [.. entries.Select(e => e.Position)];
        int[] sequences = [.. entries.Select(e => e.Sequence)], counts = [.. entries.Select(_ => 1)];
        sbyte[] outputs = [.. entries.Select(e => (sbyte)(e.Output ? 1 : 0))];
        var pointers = new IntPtr[entries.Length];
        fixed (int* token = tokens, position = positions, sequence = sequences, count = counts)
        fixed (sbyte* output = outputs)
        fixed (IntPtr* pointer = pointers)
        {
            for (var i = 0; i < entries.Length; i++) pointers[i] = (IntPtr)(sequence + i);
            var batch = new Native.Batch
            {
                Count = entries.Length,
                Tokens = (IntPtr)token,
                Positions = (IntPtr)position,
                SequenceCounts = (IntPtr)count,
                Sequences = (IntPtr)pointer,
                Outputs = (IntPtr)output,
            };
            var code = Native.llama_decode(context, batch);
            if (code != 0) throw new InvalidOperationException($"llama_decode of {entries.Length} tokens returned {code}");
        }
    }

    /// <summary>Of the batch's <paramref name="entry"/>-th token, valid until the next call.</summary>
    private unsafe ReadOnlySpan<float> Logits(int entry) => new((void*)Native.llama_get_logits_ith(context, entry), vocabularySize);

    private static int Likeliest(ReadOnlySpan<float> logits)
    {
        var vectors = MemoryMarshal.Cast<float, Vector<float>>(logits);
        var highest = float.NegativeInfinity;
        if (vectors.Length > 0)
        {
            var lanes = vectors[0];
            foreach (var vector in vectors) lanes = Vector.Max(lanes, vector);
            for (var lane = 0; lane < Vector<float>.Count; lane++) highest = Math.Max(highest, lanes[lane]);
        }
        foreach (var logit in logits[(vectors.Length * Vector<float>.Count)..]) highest = Math.Max(highest, logit);
        return logits.IndexOf(highest);
    }

    private static void Initialise()
    {
        if (initialised) return;
        NativeLibrary.SetDllImportResolver(Assembly.GetExecutingAssembly(), (name, _, _) => name switch
        {
            "llama" => NativeLibrary.Load(Path.Combine(Folder, $"libllama.{Version}.so")),
            "ggml" => NativeLibrary.Load(Path.Combine(Folder, $"libggml.{Version}.so")),
            _ => IntPtr.Zero,
        });
        Native.llama_log_set(Silent, IntPtr.Zero);
        Native.ggml_backend_load_all_from_path(Folder); // takes the build that fits this processor best
        Native.llama_backend_init();
        initialised = true;
    }

    public void Dispose()
    {
        Native.llama_free(context);
        Native.llama_model_free(model);
    }

    private static class Native
    {
        public delegate void Log(int level, IntPtr text, IntPtr data);

        [DllImport("ggml")] public static extern void ggml_backend_load_all_from_path([MarshalAs(UnmanagedType.LPUTF8Str)] string folder);
        [DllImport("llama")] public static extern void llama_backend_init();
        [DllImport("llama")] public static extern void llama_log_set(Log log, IntPtr data);
        [DllImport("llama")] public static extern ModelSettings llama_model_default_params();
        [DllImport("llama")] public static extern ContextSettings llama_context_default_params();
        [DllImport("llama")]
        public static extern IntPtr llama_model_load_from_file([MarshalAs(UnmanagedType.LPUTF8Str)] string path, ModelSettings settings);

        [DllImport("llama")] public static extern IntPtr llama_init_from_model(IntPtr model, ContextSettings settings);
        [DllImport("llama")] public static extern IntPtr llama_get_memory(IntPtr context);
        [DllImport("llama")] public static extern void llama_memory_clear(IntPtr memory, byte data);
        [DllImport("llama")] public static extern void llama_memory_seq_cp(IntPtr memory, int from, int to, int begin, int end);
        [DllImport("llama")] public static extern int llama_decode(IntPtr context, Batch batch);
        [DllImport("llama")] public static extern IntPtr llama_get_logits_ith(IntPtr context, int entry);
        [DllImport("llama")] public static extern void llama_free(IntPtr context);
        [DllImport("llama")] public static extern void llama_model_free(IntPtr model);

        /// <summary>llama_model_params.</summary>
        [StructLayout(LayoutKind.Sequential)]
        public struct ModelSettings
        {
            public IntPtr Devices, BufferOverrides;
            public int GpuLayers, SplitMode, LoadMode, LazyMode, MainGpu;
            public IntPtr TensorSplit, Progress, ProgressData, KeyOverrides;
            public byte VocabularyOnly, CheckTensors, UseExtraBuffers, NoHost, NoAllocation, LoadMtp;
        }

        /// <summary>llama_context_params.</summary>
        [StructLayout(LayoutKind.Sequential)]
        public struct ContextSettings
        {
            public uint Context, Batch, PhysicalBatch, Sequences, RecurrentSnapshots, MostOutputs, MostOutputsPerSequence;
            public int Threads, BatchThreads;
            public int ContextType, RopeScaling, Pooling, Attention, FlashAttention;
            public float RopeBase, RopeScale, YarnExtension, YarnAttention, YarnFast, YarnSlow;
            public uint YarnContext;
            public float Defragmentation;
            public IntPtr EvaluationCallback, EvaluationData;
            public int KeyType, ValueType;
            public IntPtr Abort, AbortData;
            public byte Embeddings, OffloadKeys, NoTimings, OffloadOperations, FullSlidingWindow, Unified;
            public IntPtr Samplers;
            public nuint SamplerCount;
            public IntPtr Other;
        }

        /// <summary>llama_batch.</summary>
        [StructLayout(LayoutKind.Sequential)]
        public struct Batch
        {
            public int Count;
            public IntPtr Tokens, Embeddings, Positions, SequenceCounts, Sequences, Outputs;
        }
    }
}
