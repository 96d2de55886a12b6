// Until when the server serves.

import assert from "node:assert/strict";
import { test } from "node:test";
import { serve } from "../src/server.js";

const view = () => assert.fail("nobody looks");

test("a server ends when it is asked to, also where that was before it listened", async () => {
  const begun = new AbortController();
  const early = serve("127.0.0.1", 0, view, begun.signal);
  begun.abort();
  assert.equal((await early).listening, false);
  assert.equal((await serve("127.0.0.1", 0, view, AbortSignal.abort())).listening, false);

  const ending = new AbortController();
  const server = await serve("127.0.0.1", 0, view, ending.signal);
  assert.equal(server.listening, true);
  ending.abort();
  assert.equal(server.listening, false);
});
