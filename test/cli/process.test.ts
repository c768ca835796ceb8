import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { build } from 'esbuild';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';

const ROOT = resolve(import.meta.dirname, '../..');
/** At the depth of dist/cli/main.js, so that it finds the worker and package.json. */
const PROGRAM = join(ROOT, `dist/cli-test-${process.pid}/main.mjs`);
let folder: string;

beforeAll(async () => {
  const options = { bundle: true, platform: 'node', format: 'esm', packages: 'external' } as const;
  await build({ entryPoints: [join(ROOT, 'src/cli/main.ts')], outfile: PROGRAM, absWorkingDir: ROOT, ...options });
  folder = mkdtempSync(join(tmpdir(), 'paragrad-process-'));
  const rows = Array.from({ length: 5000 }, (_, i) => `${i % 97},${(i * i) % 31},${(i % 97) * 2 + ((i * i) % 31)}`);
  writeFileSync(join(folder, 'data.csv'), `a,b,y\n${rows.join('\n')}\n`);
});

afterAll(() => {
  rmSync(resolve(PROGRAM, '..'), { recursive: true, force: true });
  rmSync(folder, { recursive: true });
});

function start(...argv: string[]): ChildProcess & { texts: { out: string; err: string } } {
  // As if a user had typed it, not npm.
  const { npm_lifecycle_event: _, NO_COLOR: __, ...env } = process.env;
  const child = spawn(process.execPath, [PROGRAM, ...argv], { cwd: folder, env, stdio: ['ignore', 'pipe', 'pipe'] });
  const texts = { out: '', err: '' };
  child.stdout.on('data', (data: Buffer) => {
    texts.out += data.toString();
  });
  child.stderr.on('data', (data: Buffer) => {
    texts.err += data.toString();
  });
  return Object.assign(child, { texts });
}

async function end(child: ChildProcess): Promise<number | null> {
  const [code] = (await once(child, 'close')) as [number | null];
  return code;
}

/** What a process has open, where the system shows it (Linux). */
function openFiles(pid: number | undefined): string[] {
  return readdirSync(`/proc/${pid}/fd`).flatMap((fd) => {
    try {
      return [readlinkSync(`/proc/${pid}/fd/${fd}`)];
    } catch {
      return [];
    }
  });
}

/** Never converges by itself. */
const ENDLESS = ['--optimizer', 'gradient-descent', '--learning-rate', '1e-9', '--tolerance', '0', '--max-passes', '1e12'];

describe('the program', () => {
  it('trains, and writes nothing but the result to a pipe', async () => {
    const child = start('train', 'data.csv', '--target', 'y', '--out', 'model');
    expect(await end(child)).toBe(0);
    expect(child.texts.err).toBe('');
    expect(child.texts.out).toMatch(/^Data\n[\s\S]*\nNext: paragrad predict model new\.csv\n$/);
  });

  it.each([['to its end', []], ...(existsSync('/proc/self/fd') ? [['and is killed in the middle', ENDLESS] as const] : [])] as const)(
    'reads standard input %s, and leaves nothing of it behind',
    async (_what, flags) => {
      const temporary = mkdtempSync(join(folder, 'tmp-'));
      const { npm_lifecycle_event: _, ...env } = process.env;
      const argv = [PROGRAM, 'train', '-', '--target', 'y', '--out', 'piped', '--force', '--checkpoint-every', '1h', ...flags];
      const child = spawn(process.execPath, argv, { cwd: folder, env: { ...env, TMPDIR: temporary }, stdio: ['pipe', 'ignore', 'pipe'] });
      child.stdin?.end(readFileSync(join(folder, 'data.csv')));
      if (flags.length > 0) {
        await vi.waitFor(() => expect(openFiles(child.pid).some((name) => name.includes('paragrad-stdin'))).toBe(true), {
          timeout: 10_000,
        });
        child.kill('SIGKILL');
      }
      expect(await end(child)).toBe(flags.length > 0 ? null : 0);
      expect(readdirSync(temporary).filter((name) => name.startsWith('paragrad-stdin'))).toEqual([]);
    },
  );

  it('is quiet when its reader has seen enough', async () => {
    const child = start('predict', 'model', 'data.csv');
    child.stdout?.once('data', () => child.stdout?.destroy());
    expect(await end(child)).toBe(0);
    expect(child.texts.err).toBe('');
  });

  // Windows has no signal that another process could be interrupted with.
  it.skipIf(process.platform === 'win32')('keeps what was learned when it is interrupted', async () => {
    const child = start(
      'train',
      'data.csv',
      '--target',
      'y',
      '--out',
      'kept',
      '--json',
      '--engine',
      'threads',
      '--workers',
      '2',
      ...ENDLESS,
    );
    const closed = end(child);
    // The folder is claimed before data are read, and the handler is there before that: no moment is too early.
    while (!readdirSync(folder).some((name) => name.startsWith('.kept'))) await new Promise(setImmediate);
    child.kill('SIGINT');
    expect(await closed).toBe(130);
    expect(child.texts.err).toContain('interrupted');
    if (existsSync(join(folder, 'kept'))) expect(JSON.parse(child.texts.out)).toMatchObject({ reason: 'aborted', converged: false });
    else expect(JSON.parse(child.texts.out)).toMatchObject({ error: { code: 'PARAGRAD_INTERRUPTED' } });
    expect(readdirSync(folder).filter((name) => name.startsWith('.kept'))).toEqual([]);
  });
});
