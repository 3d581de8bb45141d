namespace Rlp.Models.Hub;

/// <summary>Where models are pulled from, and how patiently.</summary>
public sealed class HubSettings
{
    public static readonly Uri DefaultEndpoint = new("https://huggingface.co");

    public Uri Endpoint { get; init; } = DefaultEndpoint;

    /// <summary>Sent to <see cref="Endpoint"/> alone: to no host that it redirects to, and into no message.</summary>
    public string? Token { get; init; }

    /// <summary>Tries of one request in a row that bring nothing new, the first included.</summary>
    public int Attempts { get; init; } = 5;

    /// <summary>
    /// Before the second try; doubled before each further one, up to <see cref="LongestDelay"/>. A server's Retry-After goes before.
    /// </summary>
    public TimeSpan FirstDelay { get; init; } = TimeSpan.FromSeconds(1);

    public TimeSpan LongestDelay { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>How long a server may say nothing.</summary>
    public TimeSpan Silence { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>Which files are wanted; null: <see cref="HubFiles.IsWanted"/>.</summary>
    public Func<string, bool>? Wanted { get; init; }

    /// <summary>The settings of the command line over those of the environment (HF_TOKEN, HF_ENDPOINT).</summary>
    /// <exception cref="HubException">An endpoint that is no http(s) address.</exception>
    public static HubSettings FromEnvironment(string? token = null, string? endpoint = null) => new()
    {
        Token = NotEmpty(token) ?? NotEmpty(Environment.GetEnvironmentVariable("HF_TOKEN")),
        Endpoint = (NotEmpty(endpoint) ?? NotEmpty(Environment.GetEnvironmentVariable("HF_ENDPOINT"))) is not { } text
            ? DefaultEndpoint
            : Uri.TryCreate(text, UriKind.Absolute, out var uri) && uri.Scheme is ("https" or "http")
                ? uri
                : throw new HubException($"'{text}' is no endpoint of a hub; expected an http or https address such as {DefaultEndpoint}"),
    };

    private static string? NotEmpty(string? text) => string.IsNullOrWhiteSpace(text) ? null : text.Trim();
}
