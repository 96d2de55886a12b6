// What a subscription is made of: where to, what, from where, and who decides about gaps.
using Google.Protobuf.WellKnownTypes;
using Microsoft.Extensions.Logging;
using Tieline.V1;

namespace Tieline;

/// <summary>Where to subscribe, to what, and from where. Start (or After) and OnGap have no default.</summary>
public sealed record SubscriberOptions
{
    /// <summary><c>unix:/path</c> or <c>host:port</c>.</summary>
    public string Target { get; init; } = "unix:/run/tieline/tieline.sock";

    /// <summary>Null for a plain connection, which the sidecar offers on loopback and its socket alone.</summary>
    public TlsFiles? Tls { get; init; }

    /// <summary>Holds the bearer token. It is read again at each call, so a rotated one takes effect.</summary>
    public string? TokenFile { get; init; }

    /// <summary><c>journals/NAME</c>, or the name alone.</summary>
    public string Journal { get; init; } = "journals/default";

    /// <summary>Null for every event.</summary>
    public EventFilter? Filter { get; init; }

    /// <summary>Names this reader in the sidecar's logs, metrics and console.</summary>
    public string ClientId { get; init; } = "";

    /// <summary>Sets what else a request may hold: view, shard, batching, heartbeat, an end.</summary>
    public Action<SubscribeRequest>? Customize { get; init; }

    /// <summary>Where to begin while nothing is stored.</summary>
    public Start? Start { get; init; }

    /// <summary>The position that the handler stored with its own effect; null the first time.</summary>
    public Position? After { get; init; }

    /// <summary>Keeps the position of the last batch that was handled. Null: that is the handler's.</summary>
    public IPositionStore? Store { get; init; }

    /// <summary>
    /// Decides what follows when the position cannot be served any more. A pod that moves with an empty
    /// volume meets that on an ordinary day, so somebody must have decided what it means.
    /// </summary>
    public required Func<PositionLostException, GapChoice> OnGap { get; init; }

    /// <summary>Is told of interruptions.</summary>
    public ILogger? Logger { get; init; }

    // Whether an expired credential is another at the next attempt.
    internal bool Renewable => TokenFile is not null || Tls?.CertFile is not null;

    internal SubscribeRequest Template()
    {
        var request = new SubscribeRequest { Filter = Filter?.Clone() };
        Customize?.Invoke(request);
        request.ClientId = ClientId;
        request.Journal = Journal.StartsWith("journals/", StringComparison.Ordinal) ? Journal : "journals/" + Journal;
        Start?.PutInto(request);
        return request;
    }

    internal void Check()
    {
        if (Start is null && After is null)
        {
            throw new ArgumentException("Start is not set; choose Earliest, Latest or FromTime for when nothing is stored");
        }
        if (After is not null && Store is not null)
        {
            throw new ArgumentException($"After '{After}' and Store are both set; leave After out where the Store keeps it");
        }
        if (TokenFile is not null && Tls is null && !Channels.IsLocal(Target))
        {
            throw new ArgumentException($"TokenFile '{TokenFile}': no token is sent to '{Target}' in the clear; set Tls");
        }
    }
}

/// <summary>The files of a secured connection; they are read again at each connection.</summary>
/// <param name="CaFile">Authorities to trust, in PEM; null is those of the system.</param>
/// <param name="CertFile">The client's certificate in PEM, for mTLS; null for none.</param>
/// <param name="KeyFile">Its key.</param>
/// <param name="ServerName">The name in the server's certificate; null is the host of the target.</param>
public sealed record TlsFiles(string? CaFile = null, string? CertFile = null, string? KeyFile = null, string? ServerName = null);

/// <summary>Where to begin while there is no position.</summary>
public sealed class Start
{
    private readonly Action<SubscribeRequest> put;

    private Start(Action<SubscribeRequest> put) => this.put = put;

    /// <summary>With the oldest event that is kept.</summary>
    public static Start Earliest { get; } = new(request => request.Preset = StartPreset.Earliest);

    /// <summary>With the next event that is recorded.</summary>
    public static Start Latest { get; } = new(request => request.Preset = StartPreset.Latest);

    /// <summary>With the first event that was recorded at or after a time.</summary>
    public static Start FromTime(DateTimeOffset time) =>
        new(request => request.FromTime = Timestamp.FromDateTimeOffset(time));

    internal void PutInto(SubscribeRequest request) => put(request);
}

/// <summary>What to do when a position cannot be served any more.</summary>
public enum GapChoice
{
    /// <summary>End with the <see cref="PositionLostException"/>.</summary>
    Stop,

    /// <summary>Go on with the earliest event there is, after a batch with the gap.</summary>
    Earliest,

    /// <summary>Go on with events recorded from now on, after a batch with the gap.</summary>
    Latest,
}

/// <summary>What a handler gets.</summary>
/// <param name="Events">In sequence order. Maybe none: then only the position moved on, or a fact is told.</param>
/// <param name="Position">What to store with the effect of these events.</param>
/// <param name="LatestSequence">The end of the journal; less the position's sequence, it is the lag.</param>
/// <param name="Gap">A run of events that will not come, and why. There are no events beside it.</param>
/// <param name="CaughtUp">From here on events are delivered as they happen.</param>
public sealed record Batch(IReadOnlyList<Event> Events, Position Position, ulong LatestSequence, Gap? Gap, bool CaughtUp);
