namespace Rlp.Corpora.Tests;

/// <summary>Real data that lies outside the repository; a test that needs a file of it is skipped where it is absent.</summary>
internal static class SharedData
{
    public static string Require(string file)
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            var data = Path.Combine(folder.FullName, "shared", "data");
            if (!Directory.Exists(data)) continue;
            var path = Path.Combine(data, file);
            Assert.SkipUnless(File.Exists(path), $"{path} is absent");
            return path;
        }
        Assert.Skip($"no folder above {AppContext.BaseDirectory} holds shared/data, which has {file}");
        return "";
    }
}
