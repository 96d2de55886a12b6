// Whether the sidecar is heard. Pure: times come in as numbers.

import type { Link } from "./board.js";

/** What the subscription asks for: the shortest that there is. */
export const HEARTBEAT_MS = 1000;
/** After so long without a heartbeat the client gives a connection up, and says so. */
const SILENCE_MS = 2.5 * HEARTBEAT_MS + 500;

/** Follows the interruptions of a subscription. */
export class Listening {
  #silentSince: number | undefined;
  /** If it failed again, that would have been told by then. */
  #toldBy = 0;
  #lag = 0;

  constructor(startedAt: number) {
    this.interrupted(startedAt, 0);
  }

  /** The connection ended, or none was had; another is tried after that long. */
  interrupted(at: number, retryAfterMs: number): void {
    this.#silentSince ??= at;
    this.#toldBy = at + retryAfterMs + SILENCE_MS;
  }

  /** Something came. */
  heard(lag: number): void {
    this.#silentSince = undefined;
    this.#lag = lag;
  }

  link(now: number): Link {
    // No news of a connection that would be given up by now: it has its heartbeats.
    if (this.#silentSince !== undefined && now > this.#toldBy) this.#silentSince = undefined;
    return { silentSince: this.#silentSince, lag: this.#lag };
  }
}
