namespace Rlp.Chaos.Tests;

/// <summary>Where a cluster's nodes run, how this process reaches them and what their configurations say of it. This one: loopback, as plaintext.</summary>
internal class ClusterPlace : IDisposable
{
    public virtual string Scheme => "http";

    /// <summary>What makes `rlp` and this process welcome at the nodes' endpoints; null: nothing is needed.</summary>
    public virtual (string TokenFile, string Authorities)? Pass => null;

    /// <summary>Shell commands that clear the place away, whatever became of this process.</summary>
    public virtual string CleanUp => "";

    public virtual string HostOf(string node) => "127.0.0.1";

    /// <summary>What a command line begins with to run where the node does.</summary>
    public virtual string[] Enter(string node) => [];

    /// <summary>Keys of section node: certificates and token.</summary>
    public virtual string SecurityOf(string node) => "";

    /// <summary>False where no way leads from this process to the node.</summary>
    public virtual bool Reaches(string node) => true;

    public virtual HttpClient Connect() => new();

    public virtual void Dispose()
    {
    }
}
