using Rlp.Training.Measurement;

namespace Rlp.Training.Tests.Measurement;

public sealed class MeasurementTests
{
    [Fact]
    public void No_thought_of_a_measurement_ends_early()
    {
        using var policy = new TinyPolicy(trainable: false); // 17 tokens: of 6 * 40 drawn ones, some would be the end marker
        var measured = SamplerMeasurement.Run(policy.Decoder, new SamplerWorkload(Prefix: 3, NewTokens: 40, Groups: 2, GroupSize: 3), repeats: 1); // refuses other lengths
        Assert.Equal(240, measured.TokensPerS * measured.Seconds, 1e-9);
        Assert.InRange(measured.DecodeSeconds!.Value, 0, measured.Seconds);
    }

    [Fact]
    public void A_slow_call_among_many_does_not_count()
    {
        var calls = 0;
        var seconds = MedianTime.Seconds(repeats: 3, () => { if (++calls is 1 or 3) Thread.Sleep(200); });
        Assert.Equal(4, calls); // the first one warms up
        Assert.True(seconds < 0.2, $"{seconds}");
    }

    [Fact]
    public void A_round_of_decoding_takes_its_products_or_its_reading_whichever_is_longer()
    {
        using var policy = new TinyPolicy(trainable: false);
        var costs = policy.Decoder.Costs;
        var workload = new SamplerWorkload(Prefix: 9, NewTokens: 2, Groups: 2, GroupSize: 3);

        // Six sequences see 10 tokens and themselves, then 11 and themselves.
        var flops = 6 * ((2 * 2.0 * costs.MatrixParameters) + (4.0 * costs.AttentionWidth * (11 + 12)));
        Assert.Equal(flops / 1e6, Seconds(flops: 1e6, readBytes: 1e18), 1e-9);

        // Both rounds read the weights and two prefixes of 10 tokens; the second reads one token of six thoughts as well.
        long perToken = 2 * 2 * 2 * 4 * sizeof(float); // keys and values of two layers, two heads, four dimensions
        var read = (2.0 * ((costs.MatrixParameters * sizeof(float)) + (2 * 10 * perToken))) + (6 * perToken);
        Assert.Equal(read / 1e6, Seconds(flops: 1e18, readBytes: 1e6), 1e-9);

        double Seconds(double flops, double readBytes) =>
            DecodingRoofline.Seconds(policy.Decoder.Config, costs, workload, sizeof(float), flops, readBytes);
    }

    [Fact]
    public void Rates_of_another_machine_or_other_threads_are_none_of_this_one()
    {
        using var folder = new Metrics.TemporaryFolder();
        var file = folder["rates.json"];
        Assert.Null(MachineRates.Read(file, threads: 2));
        var rates = MachineRates.Of(new MachinePeaks(1e11, 1e10), threads: 2) with { TrainingUtilisation = 0.5 };
        rates.Save(file);
        Assert.Equal(rates, MachineRates.Read(file, threads: 2));
        Assert.Null(MachineRates.Read(file, threads: 1));
        (rates with { Machine = "another" }).Save(file);
        Assert.Null(MachineRates.Read(file, threads: 2));
        File.WriteAllText(file, "{}");
        Assert.Contains(file, Assert.Throws<InvalidDataException>(() => MachineRates.Read(file, threads: 2)).Message);
    }
}
