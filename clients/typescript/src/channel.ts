// Where a server listens, and how a channel to it is made.

import { readFile } from "node:fs/promises";
import { isIP } from "node:net";
import { type ChannelOptions, Client, Metadata, credentials } from "@grpc/grpc-js";

/**
 * Files in PEM, read at each attempt: `caFile` in place of the system's authorities, and the certificate
 * and key of this client where the server asks who it is.
 */
export interface Tls {
  readonly caFile?: string | undefined;
  readonly certFile?: string | undefined;
  readonly keyFile?: string | undefined;
}

const OPTIONS: ChannelOptions = {
  // Many have a proxy in their environment; a sidecar is not asked through it.
  "grpc.enable_http_proxy": 0,
  // A new connection for each attempt: one that went silent may be dead without knowing it.
  "grpc.use_local_subchannel_pool": 1,
  // 64 KiB windows, the default, cost two thirds of the throughput.
  "grpc-node.flow_control_window": 1 << 20,
  // Above the largest event that a journal takes.
  "grpc.max_receive_message_length": 16 << 20,
  "grpc.keepalive_time_ms": 30_000,
  // A slow link is not a dead one; the server's heartbeats are the real sign of life.
  "grpc.keepalive_timeout_ms": 60_000,
};

/** A server, and what it takes to be let in. */
export class Door {
  readonly #target: string;
  readonly #tls: Tls | undefined;
  readonly #tokenFile: string | undefined;

  constructor(target: string, tls: Tls | undefined, tokenFile: string | undefined) {
    this.#target = target;
    this.#tls = tls;
    this.#tokenFile = tokenFile;
    if (target.startsWith("unix:")) {
      if (!/^unix:(\/\/)?\/[^/]/.test(target)) {
        throw new TypeError(`target '${target}': the path of a socket is absolute: unix:/path`);
      }
      if (tls) throw new TypeError(`tls: '${target}' is a Unix socket, which has none; leave it out`);
      return;
    }
    const host = /^(\[[0-9a-fA-F:.]+\]|[^\s/:@[\]]+):\d{1,5}$/.exec(target)?.[1];
    if (host === undefined) {
      throw new TypeError(`target '${target}': write it as host:port or unix:/path`);
    }
    if (tokenFile !== undefined && !tls && !isLoopback(host)) {
      throw new TypeError(
        `tokenFile: the token would cross the network to '${target}' readable by all; set tls`,
      );
    }
    if (tls && (tls.certFile === undefined) !== (tls.keyFile === undefined)) {
      throw new TypeError("tls: certFile and keyFile belong together; set both");
    }
  }

  /** Whether an expired credential is another at the next attempt. */
  get renewable(): boolean {
    return this.#tokenFile !== undefined || this.#tls !== undefined;
  }

  /** A new channel; connects when it is first used. */
  async open(): Promise<Client> {
    if (this.#target.startsWith("unix:")) {
      // The path of a socket is no authority to HTTP/2, and is refused.
      const options = { ...OPTIONS, "grpc.default_authority": "localhost" };
      return new Client(this.#target, credentials.createInsecure(), options);
    }
    const tls = this.#tls;
    if (tls === undefined) return new Client(this.#target, credentials.createInsecure(), OPTIONS);
    const files = [tls.caFile, tls.keyFile, tls.certFile];
    const [ca, key, cert] = await Promise.all(
      files.map((file) => (file === undefined ? null : readFile(file))),
    );
    return new Client(this.#target, credentials.createSsl(ca, key, cert), OPTIONS);
  }

  /** What each call carries; the token is read again each time. */
  async metadata(): Promise<Metadata> {
    const metadata = new Metadata();
    if (this.#tokenFile === undefined) return metadata;
    const token = (await readFile(this.#tokenFile, "utf8")).trim();
    if (!/^[\x21-\x7e]+$/.test(token)) {
      throw new TypeError(`tokenFile: ${this.#tokenFile} holds no token on one line`);
    }
    metadata.set("authorization", `Bearer ${token}`);
    return metadata;
  }
}

function isLoopback(host: string): boolean {
  const address = host.replace(/^\[|\]$/g, "");
  return address === "localhost" || address === "::1" || (isIP(address) === 4 && address.startsWith("127."));
}
