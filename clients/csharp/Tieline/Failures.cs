// How an attempt ended, as values: read once from a status, by its code and details.
using Google.Rpc;
using Grpc.Core;

namespace Tieline;

/// <summary>Why a subscription cannot go on.</summary>
public abstract class SubscriptionException(string message, Exception? cause = null) : Exception(message, cause);

/// <summary>A position cannot be served in full, and the choice was to stop: events are gone.</summary>
public sealed class PositionLostException(string reason, string message, IReadOnlyDictionary<string, string> metadata)
    : SubscriptionException($"{reason}: {message}")
{
    /// <summary><c>POSITION_TRIMMED</c>, <c>EPOCH_CHANGED</c> or <c>JOURNAL_CORRUPTED</c>.</summary>
    public string Reason => reason;

    /// <summary>The numbers: <c>requested_sequence</c>, <c>earliest_sequence</c> and the like.</summary>
    public IReadOnlyDictionary<string, string> Metadata => metadata;
}

/// <summary>A status that repeating the request will not change.</summary>
public sealed class RefusedException(StatusCode code, string reason, string message, Exception cause)
    : SubscriptionException($"{(reason.Length == 0 ? code.ToString() : reason)}: {message}", cause)
{
    /// <summary>The status code.</summary>
    public StatusCode Code => code;

    /// <summary>That of Tieline's ErrorInfo; empty where the error is another's.</summary>
    public string Reason => reason;
}

/// <summary>The server broke the contract: a bug, or something else that answers there.</summary>
public sealed class ViolationException(string what) : SubscriptionException("the server broke the contract: " + what);

internal abstract record Failure
{
    internal sealed record Ended : Failure;

    internal sealed record Broken(string What) : Failure;

    internal sealed record Silent(TimeSpan Limit) : Failure;

    internal sealed record Refused(RefusedException Error, TimeSpan? RetryAfter) : Failure;

    internal sealed record Lost(PositionLostException Error) : Failure;

    private static readonly HashSet<string> GapReasons = ["POSITION_TRIMMED", "EPOCH_CHANGED", "JOURNAL_CORRUPTED"];

    // Tells whose word the end of a stream is, and what it says.
    internal static Failure Of(RpcException end)
    {
        var details = end.GetRpcStatus();
        var info = details?.GetDetail<ErrorInfo>();
        var ours = info?.Domain == "tieline" ? info : null;
        var message = end.Status.Detail;
        if (ours is null && IsBroken(end.Status))
        {
            return new Broken(message);
        }
        if (ours is not null && GapReasons.Contains(ours.Reason))
        {
            return new Lost(new PositionLostException(ours.Reason, message, new Dictionary<string, string>(ours.Metadata)));
        }
        var retryAfter = details?.GetDetail<RetryInfo>()?.RetryDelay?.ToTimeSpan();
        var error = new RefusedException(end.StatusCode, ours?.Reason ?? "", message, end);
        return new Refused(error, retryAfter < TimeSpan.Zero ? null : retryAfter);
    }

    // A server of ours always says why, so a status without that is the library's own word, or a proxy's.
    // INTERNAL is a bug and no sign of a broken connection, except that Grpc.Net.Client calls a stream so
    // whose connection broke: it then has the exception of the transport.
    private static bool IsBroken(Grpc.Core.Status status) => status.StatusCode switch
    {
        StatusCode.Unknown or StatusCode.Cancelled => true,
        StatusCode.Internal => status.DebugException is HttpRequestException or IOException,
        _ => false,
    };
}
