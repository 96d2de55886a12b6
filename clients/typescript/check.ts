// A reader that tests/clients/kills holds to account: one line for each event, written before its position
// is stored.
//
//     node check.js --target 127.0.0.1:7443 --store FILE --out FILE

import { openSync, writeSync } from "node:fs";
import { parseArgs } from "node:util";
import { FileStore, subscribe } from "tieline";

const { values } = parseArgs({
  options: {
    target: { type: "string" },
    ca: { type: "string" },
    "token-file": { type: "string" },
    journal: { type: "string", default: "journals/default" },
    store: { type: "string" },
    out: { type: "string" },
  },
});
const { target, journal, store, out } = values;
if (target === undefined || store === undefined || out === undefined) {
  console.error("usage: check.js --target T [--ca F] [--token-file F] --journal J --store F --out F");
  process.exit(64);
}

const stopping = new AbortController();
process.on("SIGTERM", () => stopping.abort());
const lines = openSync(out, "a");
const batches = subscribe({
  target,
  tls: values.ca === undefined ? undefined : { caFile: values.ca },
  tokenFile: values["token-file"],
  journal,
  start: "earliest",
  store: new FileStore(store),
  onGap: () => "stop",
  onInterrupted: ({ cause, retryAfterMs }) =>
    console.error(`${cause}; trying again in ${(retryAfterMs / 1000).toFixed(1)} s`),
  signal: stopping.signal,
});
for await (const { events, position } of batches) {
  const text = events.map((event) => `${position.epoch} ${event.sequence} ${event.id}\n`).join("");
  const bytes = Buffer.from(text);
  for (let written = 0; written < bytes.length; ) written += writeSync(lines, bytes, written);
}
