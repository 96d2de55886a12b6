// Appends a line "epoch sequence id" to a file for each event, for the oracle of tests/clients/kills:
// Check --target T [--ca F] [--token-file F] --journal J --store FILE --out FILE.
using System.Runtime.InteropServices;
using Tieline;

var asked = args.Chunk(2).ToDictionary(pair => pair[0], pair => pair[1]);
using var ending = new CancellationTokenSource();
using var term = PosixSignalRegistration.Create(PosixSignal.SIGTERM, signal =>
{
    signal.Cancel = true;
    ending.Cancel();
});
await using var lines = new StreamWriter(asked["--out"], append: true);
try
{
    await Subscriber.RunAsync(new SubscriberOptions
    {
        Target = asked["--target"],
        Tls = asked.GetValueOrDefault("--ca") is { } ca ? new TlsFiles(CaFile: ca) : null,
        TokenFile = asked.GetValueOrDefault("--token-file"),
        Journal = asked["--journal"],
        ClientId = "check-csharp",
        Start = Start.Earliest,
        Store = new FilePositionStore(asked["--store"]),
        // Nothing that the oracle does costs an event.
        OnGap = _ => GapChoice.Stop,
    }, async (batch, _) =>
    {
        if (batch.Gap is not null)
        {
            throw new InvalidOperationException($"a gap: {batch.Gap}");
        }
        foreach (var e in batch.Events)
        {
            await lines.WriteAsync($"{batch.Position.Epoch} {e.Sequence} {e.Id}\n");
        }
        await lines.FlushAsync();
    }, ending.Token);
}
catch (OperationCanceledException) when (ending.IsCancellationRequested)
{
}
