// Prints every event of a sidecar on this machine, and goes on where it ended the last time.
using Tieline;

await Subscriber.RunAsync(new SubscriberOptions
{
    Target = "127.0.0.1:7443",
    Start = Start.Earliest, // where nothing is stored yet
    Store = new FilePositionStore("position"),
    OnGap = lost => GapChoice.Earliest,
}, (batch, _) =>
{
    foreach (var e in batch.Events) Console.WriteLine($"{e.Sequence} {e.Type} {e.Subject}");
    return Task.CompletedTask;
});
