// Serves the page, and the board as server-sent events.

import { readFile } from "node:fs/promises";
import { type IncomingMessage, type Server, type ServerResponse, createServer } from "node:http";
import type { View } from "./board.js";

const PAGE: Readonly<Record<string, readonly [file: string, type: string]>> = {
  "/": ["index.html", "text/html; charset=utf-8"],
  "/page.js": ["page.js", "text/javascript; charset=utf-8"],
  "/style.css": ["style.css", "text/css; charset=utf-8"],
};
const HEADERS = {
  "cache-control": "no-store",
  "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:",
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
};
/** How often viewers are told, also where nothing changed: they notice silence. */
export const INTERVAL_MS = 1000;
const MOST_VIEWERS = 200;

/** Serves until `signal`; `view` is asked once for all viewers. */
export async function serve(host: string, port: number, view: () => View, signal: AbortSignal): Promise<Server> {
  const folder = new URL("../../page/", import.meta.url);
  const page = new Map<string, { type: string; body: Buffer }>();
  for (const [path, [file, type]] of Object.entries(PAGE)) {
    page.set(path, { type, body: await readFile(new URL(file, folder)) });
  }
  const viewers = new Set<ServerResponse>();
  const server = createServer({ headersTimeout: 10_000, requestTimeout: 10_000 }, (request, response) => {
    const path = new URL(request.url ?? "/", "http://localhost").pathname;
    const found = page.get(path);
    if (!isOurs(request, host)) refuse(response, 421, "this host is not served here");
    else if (request.method !== "GET") refuse(response, 405, "only GET is served");
    else if (found) response.writeHead(200, { ...HEADERS, "content-type": found.type }).end(found.body);
    else if (path !== "/events") refuse(response, 404, "there is no such page");
    else if (viewers.size >= MOST_VIEWERS) refuse(response, 503, "too many viewers");
    else welcome(response, viewers, view);
  });
  const timer = setInterval(() => {
    if (viewers.size === 0) return;
    const told = message(view());
    // A viewer that takes nothing gets the newest once it does; nothing piles up.
    for (const viewer of viewers) if (!viewer.writableNeedDrain) viewer.write(told);
  }, INTERVAL_MS);
  const end = () => {
    clearInterval(timer);
    for (const viewer of viewers) viewer.end();
    server.close();
    server.closeAllConnections();
  };
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, host, resolve);
  });
  // Who listens to a signal late does not hear it.
  if (signal.aborted) end();
  else signal.addEventListener("abort", end);
  return server;
}

function welcome(response: ServerResponse, viewers: Set<ServerResponse>, view: () => View): void {
  response.writeHead(200, { ...HEADERS, "content-type": "text/event-stream" });
  response.write(`retry: 2000\n\n${message(view())}`);
  viewers.add(response);
  response.on("close", () => viewers.delete(response));
}

function message(view: View): string {
  return `data: ${JSON.stringify(view)}\n\n`;
}

function refuse(response: ServerResponse, status: number, why: string): void {
  response.writeHead(status, { ...HEADERS, "content-type": "text/plain" }).end(`${why}\n`);
}

/** Another site's page cannot have its name resolve to us and read along. */
function isOurs(request: IncomingMessage, host: string): boolean {
  const asked = (request.headers.host ?? "").replace(/:\d+$/, "");
  return ["localhost", "127.0.0.1", "[::1]", host].includes(asked);
}
