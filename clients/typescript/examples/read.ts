// Prints every event, and goes on where it was after a restart of either side.
import { FileStore, subscribe } from "tieline";

const store = new FileStore("position");
const onGap = () => "earliest" as const;
for await (const batch of subscribe({ target: "127.0.0.1:7443", start: "earliest", store, onGap })) {
  for (const event of batch.events) {
    console.log(`${event.sequence} ${event.type} ${event.subject}`);
  }
}
