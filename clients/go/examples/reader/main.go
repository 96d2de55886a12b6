// Prints every event of a sidecar on this machine, and goes on where it ended the last time.
package main

import (
	"context"
	"fmt"
	"log"

	tieline "github.com/tieline/tieline/clients/go"
)

func main() {
	log.Fatal(tieline.Subscribe(context.Background(), tieline.Options{
		Target: "127.0.0.1:7443",
		Start:  tieline.Earliest, // where nothing is stored yet
		Store:  tieline.FileStore("position"),
		OnGap:  func(context.Context, *tieline.GapError) tieline.GapChoice { return tieline.ResumeAtEarliest },
	}, func(_ context.Context, batch *tieline.Batch) error {
		for _, event := range batch.Events {
			fmt.Println(event.Sequence, event.Type, event.Subject)
		}
		return nil
	}))
}
