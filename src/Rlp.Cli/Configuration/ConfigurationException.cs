namespace Rlp.Cli.Configuration;

/// <summary>A configuration was refused. Holds everything that is wrong with it, not only the first thing.</summary>
public sealed class ConfigurationException(IReadOnlyList<ConfigurationProblem> problems)
    : Exception(string.Join(Environment.NewLine, problems))
{
    public IReadOnlyList<ConfigurationProblem> Problems { get; } = problems;
}
