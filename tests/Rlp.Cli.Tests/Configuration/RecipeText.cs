using Rlp.Cli.Configuration;

namespace Rlp.Cli.Tests.Configuration;

/// <summary>Recipes written to a temporary folder, for tests.</summary>
internal sealed class RecipeText : IDisposable
{
    /// <summary>The least that a recipe has to say: the defaults name no corpus.</summary>
    public const string Least = """
        corpora { plain { } }
        pretrain.data { plain = 1 }
        cpt.data { plain = 1 }
        cpt-thoughts.data { plain = 1 }
        rlp.data { plain = 1 }

        """;

    public string Folder { get; } = Directory.CreateTempSubdirectory("rlp-recipe").FullName;

    public void Dispose() => Directory.Delete(Folder, recursive: true);

    public string Write(string text, string name = "x.hocon")
    {
        var path = Path.Combine(Folder, name);
        File.WriteAllText(path, text);
        return path;
    }

    public static LoadedRecipe Load(string text, params string[] overrides)
    {
        using var recipe = new RecipeText();
        return RecipeFile.Load(recipe.Write(text), overrides);
    }

    /// <summary>The problems as they are printed, with the recipe's path cut down to its file name.</summary>
    public static string[] Problems(string text, params string[] overrides)
    {
        using var recipe = new RecipeText();
        var refused = Assert.Throws<ConfigurationException>(() => RecipeFile.Load(recipe.Write(text), overrides));
        return [.. refused.Problems.Select(p => p.ToString().Replace(recipe.Folder + Path.DirectorySeparatorChar, ""))];
    }

    /// <summary>The repository: the folder above the tests that holds the solution.</summary>
    public static string Repository()
    {
        var folder = AppContext.BaseDirectory;
        while (folder is not null && !File.Exists(Path.Combine(folder, "RLP.Akka.sln"))) folder = Path.GetDirectoryName(folder);
        return folder ?? throw new DirectoryNotFoundException($"no folder above {AppContext.BaseDirectory} holds RLP.Akka.sln");
    }
}
