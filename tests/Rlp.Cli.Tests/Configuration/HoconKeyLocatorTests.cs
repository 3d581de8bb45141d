using Rlp.Cli.Configuration;

namespace Rlp.Cli.Tests.Configuration;

public sealed class HoconKeyLocatorTests
{
    private static string[] Locate(string text)
    {
        var problems = new List<ConfigurationProblem>();
        var found = HoconKeyLocator.Locate(text, "x", problems);
        Assert.Empty(problems);
        return [.. found.Select(a => $"{a.Line} {a.Key}{(a.Appends ? " +=" : " =")} {a.Value ?? "(empty)"}")];
    }

    private static string[] Problems(string text)
    {
        var problems = new List<ConfigurationProblem>();
        HoconKeyLocator.Locate(text, "x", problems);
        return [.. problems.Select(p => p.ToString())];
    }

    [Fact]
    public void Every_way_to_write_a_key_gives_its_path_and_line() => Assert.Equal(
        [
            "1 a.b = 1", "3 c.d.e = 2", "4 c.f = \"x y\"", "5 c.g = h i", "6 q.r s = 3", "8 l = [1, 2]", "9 l += 3",
            "10 z = 4", "10 y = 5", "11 n = (empty)",
        ],
        Locate("""
            a.b = 1
            c {
              d.e : 2,
              f = "x y" # comment
              g = h i // another
            } q."r s" = 3

            l = [1, 2]
            l += 3
            z = 4, y = 5
            n { }
            """));

    [Fact]
    public void Braces_comment_signs_and_equal_signs_inside_strings_are_text() => Assert.Equal(
        ["1 a = \"} # { = //\"", "2 b = \"\\\"}\"", "3 c = \"\"\"x\n}\n\"\"\"", "6 d = 1"],
        Locate("a = \"} # { = //\"\nb = \"\\\"}\"\nc = \"\"\"x\n}\n\"\"\"\nd = 1"));

    [Fact]
    public void Lists_of_objects_hide_their_keys_and_keep_the_line_count() => Assert.Equal(
        ["1 a = [\n  { b = 1, c = [2] } \n  { b = \"]\" }\n]", "5 d = 2"],
        Locate("a = [\n  { b = 1, c = [2] } # one ]\n  { b = \"]\" }\n]\nd = 2"));

    [Fact]
    public void A_section_after_a_reference_overrides_it() => Assert.Equal(
        ["1 c = ${base}", "2 c.y = 3"],
        Locate("c = ${base} {\n y = 3 }"));

    [Fact]
    public void Windows_line_ends_count_once() => Assert.Equal(["1 a = 1", "3 b = 2"], Locate("a = 1\r\n\r\nb = 2\r\n"));

    [Theory]
    [InlineData("a {\n b = 1\n", "x:1: '{' is never closed")]
    [InlineData("a = 1\n}\n", "x:2: '}' closes nothing")]
    [InlineData("a = 1\nb = \"x\n", "x:2: a string is not closed before the end of its line")]
    [InlineData("b = \"\"\"x\n", "x:1: '\"\"\"' is never closed")]
    [InlineData("\n\na = [1, 2\n", "x:3: '[' of 'a' is never closed")]
    [InlineData("a = [1, {2]}\n", "x:1: the brackets of 'a' do not match")]
    [InlineData("a = ${b\n", "x:1: '${' of 'a' is never closed")]
    [InlineData("a =\nb = 2", "x:1: 'a' has no value")]
    [InlineData("a = # later\n", "x:1: 'a' has no value")]
    [InlineData("a 1\n", "x:1: expected '=' or '{' after 'a'")]
    [InlineData("a\n", "x:1: expected '=' or '{' after 'a'")]
    [InlineData("= 3\n", "x:1: expected a key, found '='")]
    [InlineData("a = b = c\n", "x:1: '=' in the value of 'a' must stand inside quotes")]
    [InlineData("{ a = 1 } b = 2", "x:1: text after the closing '}' of the file")]
    [InlineData("include \"nowhere.hocon\"", "x:1: include \"nowhere.hocon\": there is no file nowhere.hocon")]
    public void Broken_syntax_is_named_with_its_line(string text, string problem) => Assert.Equal([problem], Problems(text));

    [Fact]
    public void Nesting_without_end_is_refused_and_not_followed() =>
        Assert.Contains(Problems(string.Concat(Enumerable.Repeat("a{", 100_000))), p => p.Contains("nested deeper"));

    [Fact]
    public void Keys_of_an_included_file_carry_its_name_and_lines()
    {
        var problems = new List<ConfigurationProblem>();
        var included = Path.Combine("dir", "b.hocon");
        var text = "s {\n  include \"b.hocon\"\n}\nc = 1";
        var found = HoconKeyLocator.Locate(text, "dir/a.hocon", problems, p => p == included ? "\nb = 2" : null);
        Assert.Empty(problems);
        Assert.Equal([("s.b", included, 2), ("c", "dir/a.hocon", 4)], found.Select(a => (a.Key, a.File, a.Line)));
    }

    [Fact]
    public void Files_that_include_each_other_are_refused()
    {
        var problems = new List<ConfigurationProblem>();
        HoconKeyLocator.Locate("include \"a\"", "a", problems, _ => "include \"a\"");
        Assert.Contains("include each other", Assert.Single(problems).Message);
    }
}
