// Positions in a journal, and where they are kept.

import { open, readFile, rename } from "node:fs/promises";
import { basename, dirname, join } from "node:path";

/** A place in one incarnation of a journal: everything up to it lies behind the reader. */
export interface Position {
  readonly epoch: string;
  readonly sequence: bigint;
}

/** The text form, "epoch/sequence". */
export function formatPosition(position: Position): string {
  return `${position.epoch}/${position.sequence}`;
}

/** Reads the text form. */
export function parsePosition(text: string): Position {
  const [, epoch, sequence] = /^(.+)\/([0-9]+)$/.exec(text.trim()) ?? [];
  if (epoch === undefined || sequence === undefined) {
    throw new TypeError(`'${text}' is no position; write it as epoch/sequence`);
  }
  return { epoch, sequence: BigInt(sequence) };
}

/** Where a position outlives the process. */
export interface Store {
  /** The position that was saved last; undefined where there is none. */
  load(): Promise<Position | undefined>;
  /** Keeps a position. What it throws ends the subscription. */
  save(position: Position): Promise<void>;
}

/** Keeps a position in a file that is replaced as a whole, so that a crash leaves the old or the new. */
export class FileStore implements Store {
  readonly #path: string;
  readonly #new: string;

  constructor(path: string) {
    this.#path = path;
    this.#new = join(dirname(path), `.${basename(path)}.new`);
  }

  async load(): Promise<Position | undefined> {
    let text: string;
    try {
      text = await readFile(this.#path, "utf8");
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
      throw error;
    }
    try {
      return parsePosition(text);
    } catch (error) {
      const why = (error as Error).message;
      throw new TypeError(`${this.#path}: ${why}, or remove the file to start anew`);
    }
  }

  async save(position: Position): Promise<void> {
    const file = await open(this.#new, "w");
    try {
      await file.writeFile(`${formatPosition(position)}\n`);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(this.#new, this.#path);
  }
}
