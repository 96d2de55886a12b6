// The loop: one attempt after the other.
using System.Security.Cryptography;
using Grpc.Core;
using Grpc.Net.Client;
using Microsoft.Extensions.Logging;
using Tieline.V1;

namespace Tieline;

/// <summary>
/// Reads a journal of a Tieline sidecar: a subscription that survives restarts, drains and broken
/// networks by resuming after the last batch that was handled. gRPC's own retry never resumes a stream
/// that has delivered a message, so every reader needs this loop. Each event is handled at least once; a
/// handler that stores <see cref="Batch.Position"/> in the transaction of its own effect handles it
/// exactly once.
/// </summary>
public sealed class Subscriber
{
    private readonly SubscriberOptions options;
    private readonly Func<Batch, CancellationToken, Task> handle;
    private readonly Machine machine;
    // The position that the handler knows.
    private Position? handed;
    // Whether any attempt was answered: until then, an unusable file is a mistake of the options.
    private bool proven;

    private Subscriber(SubscriberOptions options, Func<Batch, CancellationToken, Task> handle, Position? position)
    {
        (this.options, this.handle, handed) = (options, handle, position);
        machine = new Machine(options.Template(), position, options.Renewable);
    }

    /// <summary>
    /// Hands the events of the journal to the handler, one batch after the other, until a requested end is
    /// reached. Throws <see cref="OperationCanceledException"/> once <paramref name="ending"/> says so,
    /// <see cref="SubscriptionException"/> if it cannot go on, and what the handler or the store throws.
    /// </summary>
    public static async Task RunAsync(
        SubscriberOptions options, Func<Batch, CancellationToken, Task> handle, CancellationToken ending = default)
    {
        options.Check();
        var position = options.Store is null ? options.After : await options.Store.LoadAsync().ConfigureAwait(false);
        await new Subscriber(options, handle, position).RunAsync(ending).ConfigureAwait(false);
    }

    private async Task RunAsync(CancellationToken ending)
    {
        while (true)
        {
            var cause = await ReadAsync(ending).ConfigureAwait(false);
            ending.ThrowIfCancellationRequested();
            var next = machine.Ended(cause, Random.Shared.NextDouble());
            if (next is Machine.Decision.AskAboutGap ask)
            {
                next = machine.ResolveGap(ask.Gap, options.OnGap(ask.Gap), Random.Shared.NextDouble());
            }
            switch (next)
            {
                case Machine.Decision.Stop stop:
                    throw stop.Error;
                case Machine.Decision.Retry retry:
                    // For people: nothing is lost. Planned ends are everyday.
                    options.Logger?.Log(
                        machine.IsClosing ? LogLevel.Information : LogLevel.Warning,
                        "Subscription interrupted: target={Target} journal={Journal} error={Error} retry_after={Delay} failures={Failures}",
                        options.Target, options.Journal, cause, retry.Delay, machine.Failures);
                    await Task.Delay(retry.Delay, ending).ConfigureAwait(false);
                    break;
                default:
                    return;
            }
        }
    }

    // Makes one attempt and says how it ended. A new connection for each: one that went silent may be dead
    // without knowing it.
    private async Task<Failure> ReadAsync(CancellationToken ending)
    {
        Metadata headers;
        GrpcChannel opened;
        try
        {
            headers = await HeadersAsync(ending).ConfigureAwait(false);
            opened = Channels.Open(options);
        }
        catch (Exception e) when (proven && e is (IOException or UnauthorizedAccessException or CryptographicException))
        {
            // A certificate or token that is just being replaced.
            return new Failure.Broken(e.Message);
        }
        using var channel = opened;
        using var silence = CancellationTokenSource.CreateLinkedTokenSource(ending);
        using var call = new EventService.EventServiceClient(channel)
            .Subscribe(machine.Request(), headers, cancellationToken: silence.Token);
        while (true)
        {
            var limit = machine.SilenceLimit;
            try
            {
                silence.CancelAfter(limit);
                if (!await call.ResponseStream.MoveNext(CancellationToken.None).ConfigureAwait(false))
                {
                    return new Failure.Ended();
                }
            }
            catch (RpcException e)
            {
                return silence.IsCancellationRequested ? new Failure.Silent(limit) : Failure.Of(e);
            }
            // The time that the handler takes is not the server's silence.
            silence.CancelAfter(Timeout.InfiniteTimeSpan);
            proven = true;
            machine.Accept(call.ResponseStream.Current);
            await HandAsync(call.ResponseStream.Current, ending).ConfigureAwait(false);
        }
    }

    private async Task<Metadata> HeadersAsync(CancellationToken ending)
    {
        var headers = new Metadata();
        if (options.TokenFile is { } file)
        {
            var token = (await File.ReadAllTextAsync(file, ending).ConfigureAwait(false)).Trim();
            if (token.Length == 0)
            {
                throw new IOException($"TokenFile '{file}' is empty; write the bearer token into it");
            }
            headers.Add("authorization", "Bearer " + token);
        }
        return headers;
    }

    // Gives the handler what a response tells, then stores the position behind it. A heartbeat tells
    // nothing; under a filter, it may tell that the position moved on.
    private async Task HandAsync(SubscribeResponse response, CancellationToken ending)
    {
        var position = machine.Position;
        var moved = position != handed;
        var caughtUp = response.CaughtUp is not null;
        if (position is null || (response.Events.Count == 0 && response.Gap is null && !caughtUp && !moved))
        {
            return;
        }
        await handle(new Batch(response.Events, position, response.LatestSequence, response.Gap, caughtUp), ending)
            .ConfigureAwait(false);
        if (moved)
        {
            handed = position;
            // What was handled counts, also where the end was asked for meanwhile.
            await (options.Store?.SaveAsync(position) ?? Task.CompletedTask).ConfigureAwait(false);
        }
    }
}
