// Appends a line "epoch sequence id" to a file for each event, for the oracle of tests/clients/kills.
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	tieline "github.com/tieline/tieline/clients/go"
)

func main() {
	target := flag.String("target", tieline.DefaultTarget, "unix:/path or host:port")
	ca := flag.String("ca", "", "authorities to trust, for TLS")
	tokenFile := flag.String("token-file", "", "bearer token")
	journal := flag.String("journal", tieline.DefaultJournal, "which to read")
	store := flag.String("store", "", "file of the position")
	out := flag.String("out", "", "file of the lines")
	flag.Parse()
	if *store == "" || *out == "" {
		fmt.Fprintln(os.Stderr, "--store and --out are needed")
		os.Exit(2)
	}
	options := tieline.Options{
		Target:    *target,
		TokenFile: *tokenFile,
		Journal:   *journal,
		ClientID:  "check-go",
		Start:     tieline.Earliest,
		Store:     tieline.FileStore(*store),
		// Nothing that the oracle does costs an event.
		OnGap: func(context.Context, *tieline.GapError) tieline.GapChoice { return tieline.Stop },
	}
	if *ca != "" {
		options.TLS = &tieline.TLS{CAFile: *ca}
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	if err := read(ctx, options, *out); err != nil && !errors.Is(err, context.Canceled) {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func read(ctx context.Context, options tieline.Options, out string) error {
	file, err := os.OpenFile(out, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer file.Close()
	return tieline.Subscribe(ctx, options, func(_ context.Context, batch *tieline.Batch) error {
		if batch.Gap != nil {
			return fmt.Errorf("a gap: %s", batch.Gap)
		}
		var lines bytes.Buffer
		for _, event := range batch.Events {
			fmt.Fprintln(&lines, batch.Position.Epoch, event.GetSequence(), event.GetId())
		}
		_, err := file.Write(lines.Bytes())
		return err
	})
}
