namespace Rlp.Consoles.Tests;

public sealed class NearestNameTests
{
    [Theory]
    [InlineData("", "abc", 3)]
    [InlineData("kitten", "sitting", 3)]
    [InlineData("flaw", "lawn", 2)]
    [InlineData("same", "same", 0)]
    public void Edit_distance_equals_the_known_one(string from, string to, int distance)
    {
        Assert.Equal(distance, NearestName.EditDistance(from, to));
        Assert.Equal(distance, NearestName.EditDistance(to, from));
    }

    [Fact]
    public void A_key_in_the_wrong_section_is_found_by_its_last_segment() =>
        Assert.Equal("rlp.optimizer.learning-rate", NearestName.Of("learning-rate", ["rlp.optimizer.learning-rate", "rlp.lanes"]));

    [Fact]
    public void Nothing_is_suggested_for_a_name_like_no_other() => Assert.Null(NearestName.Of("colour", ["rlp.lanes", "seed"]));
}
