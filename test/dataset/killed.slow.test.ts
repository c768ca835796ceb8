import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { inspectDataset, train } from '../../src/index.ts';
import { failure } from '../data/helpers.ts';
import { CommandLine } from '../support/programs.ts';
import { mixedCsv } from './tables.ts';

const commandLine = new CommandLine('dataset-test');
const KILLS = 20;
let folder = '';
let csv = '';
/** For what must not depend on the size of a file. */
let large = '';

beforeAll(async () => {
  await commandLine.build();
  folder = mkdtempSync(join(tmpdir(), 'paragrad-killed-'));
  csv = join(folder, 'table.csv');
  writeFileSync(csv, mixedCsv(120_000));
  large = join(folder, 'large.csv');
  writeFileSync(large, mixedCsv(300_000));
});

afterAll(() => {
  commandLine.remove();
  rmSync(folder, { recursive: true });
});

function start(out: string): ChildProcess {
  const argv = [commandLine.file, 'prepare', csv, '--target', 'y', '--drop', 'answer', '--chunk-rows', '256', '--out', out, '--json'];
  return spawn(process.execPath, argv, { stdio: ['ignore', 'ignore', 'pipe'] });
}

async function exit(child: ChildProcess): Promise<[number | null, NodeJS.Signals | null]> {
  return (await once(child, 'close')) as [number | null, NodeJS.Signals | null];
}

/** Bytes of what was written so far, under whatever name. */
function written(place: string): number {
  let bytes = 0;
  for (const name of readdirSync(place, { recursive: true, encoding: 'utf8' }))
    bytes += statSync(join(place, name), { throwIfNoEntry: false })?.size ?? 0;
  return bytes;
}

describe('prepare that is killed', () => {
  it(`${KILLS} times, at points from the start to the end of writing: leaves nothing that passes for a dataset`, async () => {
    const whole = join(folder, 'whole');
    expect(await exit(start(whole))).toEqual([0, null]);
    const all = written(whole);
    let confirmed = 0;
    let partial = 0;
    for (let kill = 0; kill < KILLS; kill += 1) {
      const place = join(folder, `killed-${kill}`);
      mkdirSync(place);
      const child = start(join(place, 'd'));
      const end = exit(child);
      // A point in what is written, not in time: it is met on every machine.
      while (child.exitCode === null && written(place) < (all * (kill + 0.5)) / KILLS) await new Promise((later) => setImmediate(later));
      child.kill('SIGKILL');
      const [, signal] = await end;
      if (signal !== 'SIGKILL') continue;
      confirmed += 1;
      if (existsSync(join(place, 'd'))) await inspectDataset(join(place, 'd'), { verify: true });
      for (const name of readdirSync(place)) {
        if (name === 'd') continue;
        partial += 1;
        expect(name).toMatch(/^\.d\.partial-/);
        if (existsSync(join(place, name, 'manifest.json'))) continue;
        expect((await failure(train(join(place, name), {}))).code).toMatch(/^PARAGRAD_(DATASET_FOLDER|FILE|DATA)$/);
      }
      // What an ended run left behind is in nobody's way.
      if (kill === KILLS - 1) {
        expect(await exit(start(join(place, 'e')))).toEqual([0, null]);
        expect((await inspectDataset(join(place, 'e'), { verify: true })).id).toBe((await inspectDataset(whole)).id);
      }
      rmSync(place, { recursive: true });
    }
    expect(confirmed).toBeGreaterThanOrEqual(KILLS / 2);
    expect(partial).toBeGreaterThanOrEqual(KILLS / 2);
  });
});

/** A file system of a megabyte; undefined where this user may not make one. */
function smallDisk(): string | undefined {
  const place = mkdtempSync(join(tmpdir(), 'paragrad-disk-'));
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', place], { stdio: 'ignore' });
    return place;
  } catch {
    rmSync(place, { recursive: true });
    return undefined;
  }
}

describe('a full disk', () => {
  it('is named, and nothing is left', async (context) => {
    const disk = smallDisk();
    // A full disk of its own can be made by an administrator only.
    if (disk === undefined) return context.skip('needs the right to mount a tmpfs');
    try {
      const child = start(join(disk, 'd'));
      const texts: Buffer[] = [];
      child.stderr?.on('data', (data: Buffer) => texts.push(data));
      expect(await exit(child)).toEqual([1, null]);
      expect(Buffer.concat(texts).toString()).toMatch(/cannot be written: ENOSPC.*\[PARAGRAD_OUT\]/s);
      expect(readdirSync(disk)).toEqual([]);
    } finally {
      execFileSync('umount', [disk]);
      rmSync(disk, { recursive: true });
    }
  });
});

describe('memory', () => {
  // The largest resident size of another process is told by Linux alone.
  it.skipIf(!existsSync('/proc/self/status'))('stays below --memory, whatever the size of the file', async () => {
    const out = join(folder, 'bounded');
    const child = spawn(process.execPath, [commandLine.file, 'prepare', large, '--target', 'y', '--out', out, '--memory', '640MiB'], {
      stdio: 'ignore',
    });
    const end = exit(child);
    let peakKiB = 0;
    while (child.exitCode === null) {
      const status = await new Promise<string>((done) => {
        setImmediate(() => {
          try {
            done(readFileSync(`/proc/${child.pid}/status`, 'utf8'));
          } catch {
            done('');
          }
        });
      });
      peakKiB = Math.max(peakKiB, Number(/VmHWM:\s+(\d+) kB/u.exec(status)?.[1] ?? 0));
    }
    expect(await end).toEqual([0, null]);
    expect(peakKiB).toBeGreaterThan(0);
    expect(peakKiB).toBeLessThan(640 * 1024);
  });
});
