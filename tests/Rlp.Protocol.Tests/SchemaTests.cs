using Rlp.Protocol.Serialization;

namespace Rlp.Protocol.Tests;

public sealed class SchemaTests
{
    [Fact]
    public void The_proto_file_is_the_schema_of_the_registered_messages()
    {
        var committed = File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "rlp.proto"));
        var today = Path.Combine(AppContext.BaseDirectory, "rlp.proto.today");
        File.WriteAllText(today, MessageRegistry.Schema());
        Assert.True(committed == MessageRegistry.Schema(), $"src/Rlp.Protocol/rlp.proto is out of date; if the change is meant, copy {today} over it");
    }
}
