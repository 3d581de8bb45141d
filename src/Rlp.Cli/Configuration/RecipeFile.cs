using System.Text;
using System.Text.RegularExpressions;
using Rlp.Actors.Journals;
using Rlp.Training.Recipes;

namespace Rlp.Cli.Configuration;

/// <summary>Reads recipes: the defaults of rlp.hocon, over them the recipe file, over that the --set overrides.</summary>
public static partial class RecipeFile
{
    /// <summary>Where problems of an override are said to be.</summary>
    public const string SetOption = "--set";

    internal const string DefaultsName = "rlp.hocon";

    /// <summary>A recipe is a page of text; a larger file is something else, given by mistake.</summary>
    private const long LargestFile = 1 << 20;

    /// <summary>hocon/rlp.hocon as this program was built with it: every key, documented, with its default.</summary>
    public static string Defaults { get; } = ReadDefaults();

    /// <summary>Reads and checks a recipe.</summary>
    /// <param name="path">The recipe file; relative paths inside it start from its folder.</param>
    /// <param name="overrides">`key=value` each, the value in HOCON; later ones win. They hold before references resolve.</param>
    /// <exception cref="ConfigurationException">The file is missing, or something in it or in the overrides is wrong.</exception>
    public static LoadedRecipe Load(string path, IReadOnlyList<string> overrides)
    {
        var problems = new List<ConfigurationProblem>();
        var (settings, reader) = Read(path, ReadRecipe(path), overrides, problems);
        var read = reader.Read(Path.GetFileNameWithoutExtension(path));
        var node = reader.ReadNode();
        ThrowIfAny(problems);
        return new LoadedRecipe(read, node, CanonicalText(settings, read));
    }

    /// <summary>Reads what belongs to the machine only: the file may be a recipe, or a node's configuration, which holds nothing else.</summary>
    /// <param name="path">Null: the defaults and the overrides alone.</param>
    /// <param name="overrides">As for <see cref="Load"/>.</param>
    /// <param name="nothingElse">True: keys of a recipe are refused.</param>
    /// <exception cref="ConfigurationException">The file is missing, or something in it or in the overrides is wrong.</exception>
    public static NodeSettings LoadNode(string? path, IReadOnlyList<string> overrides, bool nothingElse = false)
    {
        var problems = new List<ConfigurationProblem>();
        var (settings, reader) = Read(path ?? SetOption, path is null ? "" : ReadRecipe(path), overrides, problems);
        foreach (var key in nothingElse ? settings.Keys : [])
            if (settings.Origin(key) is { File: not DefaultsName } origin && !NodeSections.Any(s => key == s || key.StartsWith(s + ".", StringComparison.Ordinal)))
                problems.Add(new ConfigurationProblem(
                    origin.File, origin.Line, key, $"'{key}' belongs to a recipe, which 'rlp submit' takes; a node has the keys of {string.Join(", ", NodeSections)}"));
        var node = reader.ReadNode();
        ThrowIfAny(problems);
        return node;
    }

    private static readonly string[] NodeSections = ["node", "cluster", "weights", "telemetry", "journal", "runs"];

    private static (EffectiveSettings Settings, RecipeReader Reader) Read(
        string path, string text, IReadOnlyList<string> overrides, List<ConfigurationProblem> problems)
    {
        var defaults = HoconKeyLocator.Locate(Defaults, DefaultsName, problems);
        var recipe = HoconKeyLocator.Locate(text, path, problems, ReadIfThere);
        var set = overrides.SelectMany(o => Override(o, problems)).ToList();
        ThrowIfAny(problems);
        var settings = new EffectiveSettings([.. defaults, .. recipe, .. set], new KnownKeys(defaults), problems);
        if (!settings.Readable) ThrowIfAny(problems);
        return (settings, new RecipeReader(new SettingsReader(settings, path, problems)));
    }

    private static string CanonicalText(EffectiveSettings settings, Recipe recipe)
    {
        var text = new StringBuilder();
        var paths = recipe.Corpora.Where(c => c.Path is not null).ToDictionary(c => $"corpora.{c.Name}.path", c => c.Path!);
        if (recipe.Model.Path is { } model) paths["model.path"] = model;
        if (recipe.Tokenizer.Path is { } tokenizer) paths["tokenizer.path"] = tokenizer;
        foreach (var key in settings.Keys)
        {
            var value = key == "journal.connection-string" ? HoconText.Written(WithoutPassword(settings))
                : key == "name" ? HoconText.Written(recipe.Name)
                : paths.TryGetValue(key, out var absolute) ? HoconText.Written(absolute)
                : HoconText.Written(settings.Value(key)!);
            text.Append(key).Append(" = ").Append(value).Append('\n');
        }
        return text.ToString();
    }

    private static string WithoutPassword(EffectiveSettings settings) => JournalSettings.WithoutPassword(
        Enum.TryParse<JournalProvider>(HoconText.Of(settings.Value("journal.provider")!), ignoreCase: true, out var provider) ? provider : JournalProvider.PostgreSql,
        HoconText.Of(settings.Value("journal.connection-string")!));

    private static IReadOnlyList<HoconAssignment> Override(string text, List<ConfigurationProblem> problems)
    {
        var key = text.Split('=', 2)[0].Trim();
        if (!text.Contains('=') || key.Length == 0)
        {
            problems.Add(new ConfigurationProblem(SetOption, null, key, $"'{text}' sets nothing; write key=value, as in rlp.group-size=8"));
            return [];
        }
        var found = new List<ConfigurationProblem>();
        var assignments = HoconKeyLocator.Locate(text, SetOption, found);
        problems.AddRange(found.Select(p => p with { Line = null, Message = $"{p.Message} (in '{text}')" }));
        if (assignments.FirstOrDefault(a => a.Key != key && !a.Key.StartsWith(key + ".", StringComparison.Ordinal)) is { } other)
        {
            var message = $"'{text}' also sets '{other.Key}'; give that a {SetOption} of its own";
            problems.Add(new ConfigurationProblem(SetOption, null, other.Key, message));
        }
        return assignments;
    }

    private static string ReadRecipe(string path)
    {
        if (Directory.Exists(path)) throw Refused(path, "is a folder; expected a recipe file" + Recipes(path));
        if (!File.Exists(path)) throw Refused(path, "there is no such file" + Recipes(Path.GetDirectoryName(Path.GetFullPath(path))!));
        return ReadIfThere(path)!;
    }

    private static string? ReadIfThere(string path)
    {
        var file = new FileInfo(path);
        if (!file.Exists) return null;
        if (file.Length > LargestFile) throw Refused(path, $"is {file.Length} bytes long; expected a recipe of at most {LargestFile}");
        try
        {
            return File.ReadAllText(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw Refused(path, $"cannot be read: {e.Message}");
        }
    }

    private static string Recipes(string folder)
    {
        if (!Directory.Exists(folder)) return $"; there is no folder {folder} either";
        var names = Directory.EnumerateFiles(folder, "*.hocon").Select(Path.GetFileName).Order(StringComparer.Ordinal).Take(20).ToList();
        return names.Count == 0 ? $"; {folder} holds no recipes" : $"; the recipes in {folder} are {string.Join(", ", names)}";
    }

    private static ConfigurationException Refused(string path, string message) => new([new ConfigurationProblem(path, null, "", message)]);

    private static void ThrowIfAny(List<ConfigurationProblem> problems)
    {
        if (problems.Count > 0)
            throw new ConfigurationException(
                [.. problems.Select(p => p with { Message = Password().Replace(p.Message, "$1=***") }).Distinct().OrderBy(p => p.File, StringComparer.Ordinal).ThenBy(p => p.Line ?? 0)]);
    }

    /// <summary>A password in a value that a problem repeats.</summary>
    [GeneratedRegex(@"(?i)\b(password|pwd)\s*=\s*[^;""'\s]*")]
    private static partial Regex Password();

    private static string ReadDefaults()
    {
        using var stream = typeof(RecipeFile).Assembly.GetManifestResourceStream(DefaultsName)
            ?? throw new InvalidOperationException($"{DefaultsName} is not part of this build");
        using var reader = new StreamReader(stream, Encoding.UTF8);
        return reader.ReadToEnd();
    }
}
