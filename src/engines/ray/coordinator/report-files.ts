import { createHash, randomBytes } from 'node:crypto';
import { renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { encodePlain } from '../../worker/plain.ts';
import type { RayReport } from '../messages.ts';

/** Whoever is told of one may ask for it while the next is written. */
const KEPT = 2;

/**
 * Messages that are too long for the log of a job: files beside it, among Ray's own logs, where the dashboard hands them out.
 * The last ones are kept.
 */
export class ReportFiles {
  readonly #folder: string;
  readonly #node: string;
  readonly #name = `paragrad-${randomBytes(8).toString('hex')}`;
  readonly #files: string[] = [];
  #count = 0;

  /** @param node Ray's id of the node that has the folder */
  constructor(folder: string, node: string) {
    this.#folder = folder;
    this.#node = node;
  }

  /** @returns what to put into the log in place of the message */
  write(report: RayReport): Extract<RayReport, { kind: 'file' }> {
    const body = Buffer.concat(encodePlain(report));
    const name = `${this.#name}-${this.#count}.bin`;
    this.#count += 1;
    const file = path.join(this.#folder, name);
    const unfinished = path.join(this.#folder, `${name}.part`);
    try {
      writeFileSync(unfinished, body, { mode: 0o600 });
      renameSync(unfinished, file);
    } catch (error) {
      rmSync(unfinished, { force: true });
      throw error;
    }
    this.#files.push(file);
    for (const old of this.#files.splice(0, this.#files.length - KEPT)) rmSync(old, { force: true });
    return { kind: 'file', name, node: this.#node, bytes: body.length, sha256: createHash('sha256').update(body).digest('hex') };
  }

  /** When there is a result, nobody wants them any more. */
  clear(): void {
    for (const file of this.#files.splice(0)) rmSync(file, { force: true });
  }
}
