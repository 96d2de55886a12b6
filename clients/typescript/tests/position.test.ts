// Positions, and the file that keeps one.

import assert from "node:assert/strict";
import { mkdir, mkdtemp, readFile, readdir, rm, rmdir, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { FileStore } from "../src/index.js";

async function inFolder(then: (file: string, folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "tieline-"));
  try {
    await then(join(folder, "position"), folder);
  } finally {
    await rm(folder, { recursive: true });
  }
}

test("what is saved is loaded, from a file that is replaced as a whole", () =>
  inFolder(async (file, folder) => {
    const store = new FileStore(file);
    assert.equal(await store.load(), undefined);
    for (const position of [
      { epoch: "02052c8a46ce61b1", sequence: 481n },
      { epoch: "e", sequence: 2n ** 63n },
    ]) {
      await store.save(position);
      assert.deepEqual(await new FileStore(file).load(), position);
    }
    assert.equal(await readFile(file, "utf8"), `e/${2n ** 63n}\n`);
    assert.deepEqual(await readdir(folder), ["position"]);
  }));

test("a save that fails leaves the former whole", () =>
  inFolder(async (file, folder) => {
    const store = new FileStore(file);
    await store.save({ epoch: "e", sequence: 1n });
    // A folder stands where the new file would be written.
    await mkdir(join(folder, ".position.new"));
    await assert.rejects(store.save({ epoch: "e", sequence: 2n }), /EISDIR/);
    assert.deepEqual(await store.load(), { epoch: "e", sequence: 1n });
    await rmdir(join(folder, ".position.new"));
    await store.save({ epoch: "e", sequence: 3n });
    assert.deepEqual(await store.load(), { epoch: "e", sequence: 3n });
  }));

test("what is no position is named", () =>
  inFolder(async (file) => {
    for (const text of ["", "e", "e/", "/1", "e/-1", "e/x", "e/٣"]) {
      await writeFile(file, text);
      await assert.rejects(new FileStore(file).load(), /position.*epoch\/sequence/);
    }
  }));
