using System.Globalization;
using Rlp.Protocol.Runs;

namespace Rlp.Consoles;

/// <summary>Arguments that several verbs have.</summary>
internal static class CommonArguments
{
    public static readonly Argument Run = new("run", "-r", "id of the run; 'run list' shows them")
    {
        Mandatory = true,
        Expected = id => RunIds.IsValid(id) ? null : $"a run id: {RunIds.Expected}",
    };

    public static readonly Argument Node = new("node", "-n", "name of the node; 'cluster show' shows them") { Mandatory = true };

    public static readonly Argument Stage = new("stage", "-s", "only of this stage");

    public static readonly Argument Worker = new Argument("worker", "-w", "data, rollout, reward, learner or ema") { Mandatory = true }
        .OneOf([.. Enum.GetNames<Role>().Select(name => name.ToLowerInvariant())]);

    public static readonly Argument Lane = new Argument("lane", "-l", "number of the lane; 'lane list' shows them") { Mandatory = true }.Whole(0);

    public static Argument Last(int standard, string what) =>
        new Argument("last", "-l", what) { Default = standard.ToString(CultureInfo.InvariantCulture) }.Whole(0);

    public static int Last(this Arguments arguments) => (int)Math.Min(int.MaxValue - 1, arguments.Number("last")!.Value);
}
