import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import type { Invitation } from '../../src/engines/worker/orders.ts';

const folder = mkdtempSync(join(tmpdir(), 'paragrad-orphan-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test('a worker whose coordinator was killed before they met ends by itself, and removes the folder of the run', async () => {
  const run = join(folder, 'run');
  mkdirSync(run);
  const invitation: Invitation = {
    control: { kind: 'unix', path: join(run, 'control') },
    own: { kind: 'unix', path: join(run, 'own') },
    rank: 0,
    attempt: 0,
    pulseMs: 1000,
    // Its coordinator is somebody else than the one who started it here: as where that has ended.
    parent: { pid: process.ppid, remove: [run] },
  };
  const worker = spawn(process.execPath, [resolve('dist/worker.mjs')], {
    env: { ...process.env, PARAGRAD_INVITATION: JSON.stringify(invitation) },
    stdio: 'ignore',
  });
  const ended = await new Promise((done) => worker.once('exit', (code, signal) => done(signal ?? code)));
  // Without it, it would look for its coordinator for half a minute, and end with exit code 1.
  expect([ended, existsSync(run)]).toEqual(['SIGKILL', false]);
});
