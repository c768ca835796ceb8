import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { build } from 'esbuild';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { mixedCsv } from '../dataset/tables.ts';

/** A disk that is full, and one that cannot be written: named, exit code 1, nothing half written. Disks of memory, for which one must be root. */
const ROOT = resolve(import.meta.dirname, '../..');
const PROGRAM = join(ROOT, `dist/disk-test-${process.pid}/main.mjs`);
let folder = '';
let csv = '';
let model = '';

/** Why there can be no disk of memory; undefined: there can. */
function obstacle(): string | undefined {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return 'only root of a Linux system can mount a disk of memory';
  const place = mkdtempSync(join(tmpdir(), 'paragrad-mount-'));
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', place], { stdio: 'ignore' });
    execFileSync('umount', [place], { stdio: 'ignore' });
    return undefined;
  } catch {
    return 'this system does not let disks of memory be mounted';
  } finally {
    rmSync(place, { recursive: true });
  }
}

const why = obstacle();
if (why !== undefined) console.warn(`skipped: disks that are full: ${why}`);

/** A small disk while `work` runs. */
function onDisk(name: string, size: string, work: (disk: string) => void): void {
  const disk = join(folder, name);
  mkdirSync(disk);
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'tmpfs', disk]);
  try {
    work(disk);
  } finally {
    execFileSync('umount', [disk]);
  }
}

function paragrad(
  args: readonly string[],
  options: { env?: Record<string, string>; input?: Buffer } = {},
): { status: number | null; stderr: string } {
  const { env = {}, ...rest } = options;
  const { status, stderr } = spawnSync(process.execPath, [PROGRAM, ...args], {
    encoding: 'utf8',
    env: { ...process.env, ...env },
    ...rest,
  });
  return { status, stderr };
}

/** What writes something, and where it is told to. */
const WRITING: [string, (out: string) => string[]][] = [
  ['train', (out) => ['train', csv, '--target', 'y', '--drop', 'answer', '--out', out]],
  ['train, with checkpoints', (out) => ['train', csv, '--target', 'y', '--drop', 'answer', '--checkpoint-every', '0', '--out', out]],
  ['prepare', (out) => ['prepare', csv, '--target', 'y', '--drop', 'answer', '--out', out]],
  ['predict to CSV', (out) => ['predict', model, csv, '--out', `${out}.csv`]],
  ['predict to Parquet', (out) => ['predict', model, csv, '--out', `${out}.parquet`]],
  ['generate', (out) => ['generate', '--rows', '20000', '--columns', '5', '--out', `${out}.csv`]],
  ['a report', (out) => ['inspect', model, '--report', `${out}.html`]],
  ['coefficients', (out) => ['inspect', model, '--coefficients', `${out}.csv`]],
];

describe.skipIf(why !== undefined)(why ?? 'disks', () => {
  beforeAll(async () => {
    const options = { bundle: true, platform: 'node', format: 'esm', packages: 'external' } as const;
    await build({ entryPoints: [join(ROOT, 'src/cli/main.ts')], outfile: PROGRAM, absWorkingDir: ROOT, ...options });
    folder = mkdtempSync(join(tmpdir(), 'paragrad-disk-'));
    csv = join(folder, 'table.csv');
    writeFileSync(csv, mixedCsv(20_000));
    model = join(folder, 'model');
    expect(paragrad(['train', csv, '--target', 'y', '--drop', 'answer', '--out', model])).toMatchObject({ status: 0 });
  });

  afterAll(() => {
    rmSync(resolve(PROGRAM, '..'), { recursive: true, force: true });
    rmSync(folder, { recursive: true });
  });

  // A few coefficients find room anywhere.
  it.each(WRITING.filter(([name]) => name !== 'coefficients'))('full: %s', (name, args) => {
    // One page is not enough for a configuration and a checkpoint.
    onDisk(`full ${name}`, name.includes('checkpoints') ? '4k' : '8k', (disk) => {
      const { status, stderr } = paragrad(args(join(disk, 'out')));
      expect(stderr).toContain('cannot be written: ');
      expect(stderr).toContain('[PARAGRAD_OUT]');
      expect(stderr).not.toMatch(/\n {4}at /u);
      expect(status).toBe(1);
      expect(readdirSync(disk)).toEqual([]);
    });
  });

  it.each(WRITING)('read-only: %s', (name, args) => {
    onDisk(`read-only ${name}`, '8k', (disk) => {
      execFileSync('mount', ['-o', 'remount,ro', disk]);
      const { status, stderr } = paragrad(args(join(disk, 'out')));
      expect(stderr).toContain('cannot be written: ');
      expect(stderr).toContain('[PARAGRAD_OUT]');
      expect(status).toBe(1);
      expect(readdirSync(disk)).toEqual([]);
    });
  });

  it('a model that was there stays as it was when its successor does not fit', () => {
    onDisk('replace', '64k', (disk) => {
      const out = join(disk, 'model');
      const small = join(folder, 'small.csv');
      writeFileSync(small, mixedCsv(300));
      expect(paragrad(['train', small, '--target', 'y', '--drop', 'answer', '--out', out])).toMatchObject({ status: 0 });
      const before = readFileSync(join(out, 'model.safetensors'));
      writeFileSync(join(disk, 'filler'), Buffer.alloc(8 * 1024));
      const filled = paragrad(['prepare', csv, '--target', 'y', '--drop', 'answer', '--out', out, '--force']);
      expect(filled.status).toBe(1);
      expect(readFileSync(join(out, 'model.safetensors'))).toEqual(before);
      expect(readdirSync(disk).sort()).toEqual(['filler', 'model']);
    });
  });

  it('no room for standard input', () => {
    onDisk('temporary', '16k', (disk) => {
      const { status, stderr } = paragrad(['train', '-', '--target', 'y', '--drop', 'answer'], {
        env: { TMPDIR: disk },
        input: readFileSync(csv),
      });
      expect(stderr).toContain('[PARAGRAD_FILE]');
      expect(stderr).toContain('ENOSPC');
      expect(status).toBe(1);
      expect(readdirSync(disk)).toEqual([]);
    });
  });
});
