// A page that shows events as they come. Reloaded, it goes on where it was: ?sidecar=https://…&journal=journals/…

import { localStore, subscribe } from "../subscribe.ts";

const SHOWN = 50;
const asked = new URLSearchParams(location.search);
const element = (id: string) => document.getElementById(id) as HTMLElement;
const state = element("state");
const events = element("events");

subscribe(
  {
    baseUrl: asked.get("sidecar") ?? "http://127.0.0.1:7443",
    journal: asked.get("journal") ?? "journals/default",
    start: "earliest",
    store: localStore("tieline position"),
    // A page that shows what is going on has no use for what is gone.
    onGap: () => "latest",
    onInterruption: (_, wait) => { state.textContent = `interrupted, again in ${Math.ceil(wait / 1000)} s`; },
  },
  (batch) => {
    state.textContent = "live";
    element("lag").textContent = String(batch.latest - batch.position.sequence);
    for (const event of batch.events) {
      const row = document.createElement("tr");
      for (const text of [String(event.sequence), event.type, event.subject]) {
        row.append(Object.assign(document.createElement("td"), { textContent: text }));
      }
      events.prepend(row);
      dispatchEvent(new CustomEvent("shown", { detail: `${batch.position.epoch} ${event.sequence} ${event.id}` }));
    }
    while (events.childElementCount > SHOWN) events.lastElementChild?.remove();
  },
).catch((error) => { state.textContent = `ended: ${error}`; });
