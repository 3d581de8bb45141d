using Rlp.Training.Recipes;

namespace Rlp.Cli.Configuration;

/// <summary>A recipe file with its overrides, read and checked.</summary>
/// <param name="Recipe">What decides the numbers.</param>
/// <param name="Node">What belongs to the machine.</param>
/// <param name="CanonicalText">
/// HOCON with every key and the value that holds, one per line in ordinal order, references resolved and paths absolute. Loading it as a
/// recipe gives an equal recipe again.
/// </param>
public sealed record LoadedRecipe(Recipe Recipe, NodeSettings Node, string CanonicalText);
