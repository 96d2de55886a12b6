// The subscriber against a server that asks for a certificate and a token.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { ServerCredentials } from "@grpc/grpc-js";
import { Server, closing, events, opened, play, sequences } from "./server.js";

/** An authority, a stranger to it, and certificates of it for this machine and for a client. */
function issue(folder: string): void {
  const key = "req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -x509".split(" ");
  const authority = ["-addext", "basicConstraints=critical,CA:TRUE"];
  const signed = "-CA ca.pem -CAkey ca.key -addext subjectAltName=IP:127.0.0.1".split(" ");
  for (const [name, more] of [
    ["ca", authority],
    ["stranger", authority],
    ["server", signed],
    ["client", signed],
  ] as const) {
    const files = ["-subj", `/CN=${name}`, "-keyout", `${name}.key`, "-out", `${name}.pem`];
    execFileSync("openssl", [...key, ...more, ...files], { cwd: folder, stdio: "pipe" });
  }
}

test("both sides show a certificate, and the token crosses under TLS", async () => {
  const folder = await mkdtemp(join(tmpdir(), "tieline-"));
  const file = (name: string) => join(folder, name);
  try {
    issue(folder);
    await writeFile(file("token"), "secret\n");
    const [ca, private_key, cert_chain] = await Promise.all(
      ["ca.pem", "server.key", "server.pem"].map((name) => readFile(file(name))),
    );
    assert.ok(ca && private_key && cert_chain);
    const credentials = ServerCredentials.createSsl(ca, [{ private_key, cert_chain }], true);
    const act = play([opened("e", 0n), events(1, 3), closing(3n)]);
    await using server = await Server.start([act], false, credentials);
    const options = (caFile: string) => ({
      tls: { caFile: file(caFile), certFile: file("client.pem"), keyFile: file("client.key") },
      tokenFile: file("token"),
    });
    // What an authority did not sign for is not spoken to.
    const stopping = new AbortController();
    const causes: string[] = [];
    const refused = await server.run({
      ...options("stranger.pem"),
      signal: stopping.signal,
      onInterrupted: ({ cause }) => {
        causes.push(cause);
        if (causes.length === 2) stopping.abort();
      },
    });
    assert.equal(causes.length, 2);
    assert.deepEqual([refused, server.tokens], [[], []]);
    assert.deepEqual(sequences(await server.run(options("ca.pem"))), [1, 2, 3]);
    assert.deepEqual(server.tokens, ["Bearer secret"]);
  } finally {
    await rm(folder, { recursive: true });
  }
});
