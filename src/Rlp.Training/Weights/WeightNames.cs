namespace Rlp.Training.Weights;

/// <summary>The names under which a run's weights are published.</summary>
public static class WeightNames
{
    /// <summary>theta: the learner's.</summary>
    public const string Policy = "policy";

    /// <summary>phi: the EMA's.</summary>
    public const string Teacher = "teacher";

    /// <summary>The float32 weights behind those that a network computes with in bfloat16.</summary>
    public static string MasterOf(string name) => $"{name}-master";
}
