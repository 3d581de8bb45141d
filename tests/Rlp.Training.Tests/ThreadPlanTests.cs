namespace Rlp.Training.Tests;

public sealed class ThreadPlanTests
{
    [Theory]
    [InlineData(2, 1, 2)] // engines that take turns have all cores
    [InlineData(2, 2, 1)]
    [InlineData(5, 2, 2)]
    [InlineData(1, 2, 1)] // never none
    public void Engines_that_compute_at_the_same_time_divide_the_cores(int cores, int engines, int each) =>
        Assert.Equal(each, (ThreadPlan.Of(cores) with { EnginesAtOnce = engines }).IntraOp);

    [Fact]
    public void Without_a_setting_all_cores_compute() => Assert.Equal(Environment.ProcessorCount, ThreadPlan.Of(setting: 0).IntraOp);

    [Fact]
    public void A_stage_whose_steps_are_on_policy_has_one_engine_at_work_and_one_that_samples_ahead_has_two()
    {
        Assert.Equal(4, ThreadPlan.Of(4).For(TinyRecipes.Arithmetic().Stage("rlp")).IntraOp);
        Assert.Equal(2, ThreadPlan.Of(4).For(TinyRecipes.Arithmetic(staleness: 1).Stage("rlp")).IntraOp);
    }

    [Fact]
    public void What_the_user_says_about_spinning_stays_and_else_the_native_environment_has_it()
    {
        const string Variable = "GOMP_SPINCOUNT";
        var before = Environment.GetEnvironmentVariable(Variable);
        try
        {
            Environment.SetEnvironmentVariable(Variable, "77");
            OpenMpWaiting.Prepare();
            Assert.Equal("GOMP_SPINCOUNT=77 (the user's)", OpenMpWaiting.Describe());
            Environment.SetEnvironmentVariable(Variable, null);
            OpenMpWaiting.Prepare();
            if (OperatingSystem.IsLinux()) Assert.Equal($"GOMP_SPINCOUNT={OpenMpWaiting.SpinCount}", OpenMpWaiting.Describe());
        }
        finally
        {
            Environment.SetEnvironmentVariable(Variable, before);
        }
    }
}
