// The decisions of the client loop. Time passes elsewhere, and chance comes in as a number.
using Grpc.Core;
using Tieline.V1;

namespace Tieline;

internal sealed class Machine(SubscribeRequest template, Position? position, bool renews)
{
    // The server's default, until Opened names the real one.
    private static readonly TimeSpan DefaultHeartbeat = TimeSpan.FromSeconds(10);
    // Heartbeats are between these, so a wrong value neither kills nor hangs the stream.
    private static readonly TimeSpan ShortestHeartbeat = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan LongestHeartbeat = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan BackoffBase = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan BackoffCap = TimeSpan.FromSeconds(10);
    // No server makes a reader wait for longer than this.
    private static readonly TimeSpan LongestWait = TimeSpan.FromMinutes(2);

    // What follows the end of an attempt.
    internal abstract record Decision
    {
        internal sealed record Retry(TimeSpan Delay) : Decision;

        internal sealed record AskAboutGap(PositionLostException Gap) : Decision;

        internal sealed record Finished : Decision;

        internal sealed record Stop(SubscriptionException Error) : Decision;
    }

    // Set by a gap choice, until a response between Opened and Closing came under it.
    private UnavailablePolicy policy = UnavailablePolicy.Fail;
    private TimeSpan heartbeat = template.HeartbeatInterval is { } wanted ? Clamp(wanted.ToTimeSpan()) : DefaultHeartbeat;
    // Of the present attempt. The position follows what its responses reached, except that a chosen skip
    // counts only once the gap was told: were it lost on the way, it would never be.
    private Position? reached;
    private Closing? closing;

    // What lies behind the reader; null before the first response.
    internal Position? Position { get; private set; } = position;

    internal int Failures { get; private set; }

    internal bool IsClosing => closing is not null;

    // How long silence may last before the connection counts as dead.
    internal TimeSpan SilenceLimit => heartbeat * 2.5;

    private bool IsSkipping => policy != UnavailablePolicy.Fail;

    // Begins an attempt.
    internal SubscribeRequest Request()
    {
        (reached, closing) = (null, null);
        var request = template.Clone();
        if (Position is not null)
        {
            request.After = new V1.Position { Epoch = Position.Epoch, Sequence = Position.Sequence };
        }
        request.UnavailablePolicy = policy;
        return request;
    }

    // Takes a response in, before it is handed to the reader; what breaks the contract is not.
    internal void Accept(SubscribeResponse response)
    {
        if (response.Opened is { } opened)
        {
            Open(opened);
        }
        else if (reached is null)
        {
            throw new ViolationException("the first response is not 'opened'");
        }
        closing = response.Closing ?? closing;
        reached = Advance(response, reached!);
        var frame = response.Opened is not null || response.Closing is not null;
        if (IsSkipping && frame && response.Events.Count == 0)
        {
            return;
        }
        (Position, policy) = (reached, UnavailablePolicy.Fail);
        if (!frame)
        {
            Failures = 0;
        }
    }

    private void Open(Opened opened)
    {
        if (reached is not null)
        {
            throw new ViolationException("'opened' came a second time");
        }
        var start = new Position(opened.Epoch, opened.Start?.Sequence ?? 0);
        if (Position is { } asked)
        {
            var moved = !IsSkipping && start != asked;
            // A resume that skips may still not go back.
            var back = start.Epoch == asked.Epoch && start.Sequence < asked.Sequence;
            if (moved || back)
            {
                throw new ViolationException($"asked to continue after {asked}, it starts after {start}");
            }
        }
        heartbeat = opened.HeartbeatInterval is { } named ? Clamp(named.ToTimeSpan()) : heartbeat;
        reached = start;
    }

    // Checks order, contiguity and bookmark.
    private Position Advance(SubscribeResponse response, Position from)
    {
        var whole = template.Filter is null && template.Shard is null;
        var behind = from.Sequence;
        foreach (var sequence in response.Events.Select(e => e.Sequence))
        {
            if (sequence <= behind)
            {
                throw new ViolationException($"event {sequence} came after {behind}");
            }
            if (whole && sequence != behind + 1)
            {
                throw new ViolationException($"events {behind + 1} to {sequence - 1} are missing without a gap");
            }
            behind = sequence;
        }
        var first = response.Opened is not null;
        // A bookmark before the start is true of the first response, and moves nothing back.
        var through = first ? Math.Max(response.ThroughSequence, behind) : response.ThroughSequence;
        if (through < behind)
        {
            throw new ViolationException($"the bookmark {through} is before {behind}");
        }
        if (whole && through > behind && !first && response.Gap is null)
        {
            throw new ViolationException($"events {behind + 1} to {through} are missing without a gap");
        }
        return from with { Sequence = through };
    }

    // Decides what follows the end of an attempt; chance is a random number in [0, 1).
    internal Decision Ended(Failure cause, double chance)
    {
        var asked = closing?.RetryDelay?.ToTimeSpan() is { } delay && delay >= TimeSpan.Zero ? delay : (TimeSpan?)null;
        switch (cause)
        {
            // Where the server refuses what was chosen, asking again would go round in circles.
            case Failure.Lost lost:
                return IsSkipping ? new Decision.Stop(lost.Error) : new Decision.AskAboutGap(lost.Error);
            case Failure.Refused refused when !IsRetried(refused.Error):
                return new Decision.Stop(refused.Error);
            case Failure.Refused refused:
                return new Decision.Retry(Delay(refused.RetryAfter ?? asked, chance));
            // OK without its announcement is a stream that something between cut off cleanly.
            case Failure.Ended when closing?.Reason == Closing.Types.Reason.EndReached:
                return new Decision.Finished();
            default:
                return new Decision.Retry(Delay(asked, chance));
        }
    }

    // Continues as the reader chose.
    internal Decision ResolveGap(PositionLostException gap, GapChoice choice, double chance)
    {
        if (choice == GapChoice.Stop)
        {
            return new Decision.Stop(gap);
        }
        policy = choice == GapChoice.Earliest ? UnavailablePolicy.ResumeAtEarliest : UnavailablePolicy.ResumeAtLatest;
        // Jittered like any retry: after a restore every reader finds its epoch gone at once.
        return new Decision.Retry(Delay(null, chance));
    }

    // UNAVAILABLE always; RESOURCE_EXHAUSTED only when it is Tieline's, because a message above the
    // client's own limit is the same tomorrow; an expired credential where it can be read again.
    private bool IsRetried(RefusedException refused) => refused.Code switch
    {
        StatusCode.Unavailable => true,
        StatusCode.ResourceExhausted => refused.Reason.Length > 0,
        StatusCode.Unauthenticated => renews && refused.Reason == "CREDENTIALS_EXPIRED",
        _ => false,
    };

    // At least what the server asked for; asked for again and again, that is not enough alone.
    private TimeSpan Delay(TimeSpan? asked, double chance)
    {
        var ceiling = Min(BackoffBase * (1 << Math.Min(Failures, 10)), BackoffCap);
        var backoff = ceiling * chance;
        var first = Failures++ == 0;
        if (asked is not { } named)
        {
            return backoff;
        }
        var least = Min(named, LongestWait);
        return first || least > backoff ? least : backoff;
    }

    private static TimeSpan Clamp(TimeSpan named) => named < ShortestHeartbeat ? ShortestHeartbeat : Min(named, LongestHeartbeat);

    private static TimeSpan Min(TimeSpan a, TimeSpan b) => a < b ? a : b;
}
