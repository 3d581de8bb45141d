using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Rlp.Protocol.Payloads;
using Rlp.Protocol.Replies;

namespace Rlp.Protocol.Tests;

/// <summary>
/// The numerical half of a run as pure functions on digests: a call that is lost, repeated or done on other weights changes every digest after it.
/// </summary>
internal static class HashEngines
{
    public const int BatchSize = 5;

    public static string Hash(string text) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text)));

    /// <summary>In [0, 1).</summary>
    public static double Number(string digest) => Convert.ToUInt32(digest[..8], 16) / 4294967296.0;

    public static DataLoaded Data(StagePlan stage, WireCursor from) => new()
    {
        RunId = "r",
        From = from,
        To = new WireCursor { Document = from.Document + BatchSize },
        Documents = stage.Rlp ? [] : [new WireDocument { Tokens = [(int)from.Document, 1] }],
        Positions = stage.Rlp
            ? [.. Enumerable.Range(0, BatchSize).Select(g => new WirePosition { Group = g, Prefix = [(int)from.Document + g], NextToken = g })]
            : [],
    };

    public static WireGroup Group(string policy, string teacher, long step, WirePosition position)
    {
        var thoughts = Enumerable.Range(0, 2).Select(member => Hash($"{policy} {step} {position.Prefix[0]} {member}")).ToArray();
        return new WireGroup
        {
            Position = position,
            Thoughts = [.. thoughts.Select(digest => new WireThought { Tokens = [digest[0] % 10], LogProbabilities = [-1], PredictedEvidence = -Number(digest) })],
            TeacherEvidence = -1 - Number(Hash($"{teacher} {position.Prefix[0]}")),
            ThoughtsSha256 = Hash(string.Join(" ", thoughts)),
        };
    }

    /// <summary>The policy after a step on these groups or documents.</summary>
    public static string Learn(string policy, long step, IEnumerable<WireGroup> groups, IEnumerable<WireDocument> documents) => Hash(
        $"{policy} {step} "
            + string.Join("|", groups.Select(g => string.Create(CultureInfo.InvariantCulture, $"{g.Position.Group} {g.ThoughtsSha256} {g.TeacherEvidence:R}")))
            + string.Join("|", documents.Select(d => string.Join(",", d.Tokens))));

    public static string Update(string teacher, string policy) => Hash($"{teacher} {policy}");

    public static string Thoughts(IEnumerable<WireGroup> groups) => Hash(string.Join(" ", groups.Select(g => g.ThoughtsSha256)));
}
