namespace Rlp.Cli.Configuration;

/// <summary>
/// The keys that exist: those of rlp.hocon, where each is documented. A section that rlp.hocon leaves empty takes any name as key
/// (`pretrain.data`), a section with the key "*" takes any name as section with the keys of "*" (`corpora`).
/// </summary>
public sealed class KnownKeys
{
    public const string AnyName = "*";

    private readonly Node root = new();

    public KnownKeys(IEnumerable<HoconAssignment> documented)
    {
        foreach (var assignment in documented)
        {
            var node = root;
            foreach (var segment in assignment.Path)
                node = node.Children.TryGetValue(segment, out var child) ? child : node.Children[segment] = new Node();
            if (assignment.Value is null) node.Children[AnyName] = new Node();
        }
    }

    public bool IsKey(IReadOnlyList<string> path) => Find(path) is { Children.Count: 0 };

    public bool IsSection(IReadOnlyList<string> path) => Find(path) is { Children.Count: > 0 };

    /// <summary>The keys below a section, as paths relative to it; "*" stands for any name.</summary>
    public IEnumerable<IReadOnlyList<string>> Below(IReadOnlyList<string> section) => Find(section) is { } node ? Leaves(node, []) : [];

    /// <summary>All keys that a user can write, dotted; "*" takes the name that the mistyped path has in its place.</summary>
    public IEnumerable<string> SuggestionsFor(IReadOnlyList<string> path) =>
        Leaves(root, []).Select(k => string.Join('.', k.Select((segment, i) => segment == AnyName && i < path.Count ? path[i] : segment)));

    private Node? Find(IReadOnlyList<string> path)
    {
        var node = root;
        foreach (var segment in path)
        {
            if (!node.Children.TryGetValue(segment, out var child) && !node.Children.TryGetValue(AnyName, out child)) return null;
            node = child;
        }
        return node;
    }

    private static IEnumerable<IReadOnlyList<string>> Leaves(Node node, IReadOnlyList<string> path) =>
        node.Children.Count == 0 ? [path] : node.Children.SelectMany(c => Leaves(c.Value, [.. path, c.Key]));

    private sealed class Node
    {
        public Dictionary<string, Node> Children { get; } = [];
    }
}
