import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { clusterOf } from '../../../src/engines/cluster/registry.ts';
import { RAY_VERSION } from '../../../src/engines/ray/install.ts';
import { LocalRay } from '../../../src/engines/ray/local.ts';

let folder: string;
let bin: string;
let ray: LocalRay;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'paragrad-ray-'));
  bin = join(folder, 'bin');
  mkdirSync(bin);
  ray = new LocalRay({ PARAGRAD_CACHE: folder, PATH: bin });
});
afterEach(() => rmSync(folder, { recursive: true }));

/** A program of that name in the folder, for programs that must not be the real ones. */
function program(name: string, script: string, where = bin): void {
  mkdirSync(where, { recursive: true });
  writeFileSync(join(where, name), `#!/bin/sh\n${script}\n`);
  chmodSync(join(where, name), 0o755);
}

/** A python3 whose venv has a pip that does `pip`. */
function python(version: string, pip: string): void {
  const inner = join(folder, 'ray', RAY_VERSION, 'bin');
  program('made', pip);
  const venv = `/bin/mkdir -p ${inner} && /bin/cp ${join(bin, 'made')} ${join(inner, 'python')}`;
  program('python3', `if [ "$1" = -c ]; then echo ${version}; else ${venv}; fi`);
}

/** As after an installation, with another `ray`. */
function installed(script: string): void {
  program('ray', script, join(folder, 'ray', RAY_VERSION, 'bin'));
  writeFileSync(join(folder, 'ray', RAY_VERSION, 'paragrad-installed.txt'), '');
}

// The programs that stand for python3 and ray are shell scripts.
describe.skipIf(process.platform === 'win32')('to install', () => {
  it('needs python3', async () => {
    await expect(ray.install({})).rejects.toMatchObject({
      code: 'PARAGRAD_CLUSTER_PYTHON',
      message: expect.stringMatching(/^python3 is not there: install Python 3.10 or later/),
    });
  });

  it('needs a python3 that is new enough', async () => {
    python('3 9', 'exit 0');
    await expect(ray.install({})).rejects.toMatchObject({
      code: 'PARAGRAD_CLUSTER_PYTHON',
      message: expect.stringContaining('is 3.9: Ray'),
    });
  });

  it('needs venv', async () => {
    program('python3', 'if [ "$1" = -c ]; then echo 3 12; else echo "ensurepip is not available"; exit 1; fi');
    await expect(ray.install({})).rejects.toMatchObject({
      code: 'PARAGRAD_CLUSTER_PYTHON',
      message: expect.stringMatching(/python3-venv.*: ensurepip is not available/),
    });
  });

  it.each([
    ['ERROR: HTTPSConnectionPool: Temporary failure in name resolution', /is there a network\?/],
    ['ERROR: No matching distribution found for ray', /no Ray .* for this Python/],
    ['OSError: [Errno 28] No space left on device', /disk is full/],
    ['something else', /: something else$/],
  ])('needs what pip needs: %s', async (line, message) => {
    python('3 12', `echo '${line}' >&2; exit 1`);
    await expect(ray.install({})).rejects.toMatchObject({ code: 'PARAGRAD_CLUSTER_INSTALL', message: expect.stringMatching(message) });
    expect(existsSync(join(folder, 'ray', RAY_VERSION))).toBe(false);
  });

  it('tells of its progress, which never goes back, and is done once', async () => {
    python(
      '3 12',
      'echo "Collecting ray[default]==2"; echo "  Downloading ray-2-cp311.whl (79 MB)"; echo "Installing collected packages: a"',
    );
    const told: { text: string; done: number }[] = [];
    expect(await ray.install({ onProgress: (progress) => told.push(progress) })).toMatchObject({ isNew: true });
    expect(told.map(({ text }) => text)).toEqual([
      'making a Python environment',
      'collecting ray[default]==2',
      'downloading ray',
      'unpacking',
    ]);
    expect(told.map(({ done }) => done)).toEqual(told.map(({ done }) => done).sort((a, b) => a - b));
    expect(await ray.install({})).toMatchObject({ isNew: false });
    expect(await ray.status()).toMatchObject({ installed: join(folder, 'ray', RAY_VERSION), running: undefined });
  });
});

// As above.
describe.skipIf(process.platform === 'win32')('to start', () => {
  it('needs an installation', async () => {
    await expect(ray.start({})).rejects.toMatchObject({
      code: 'PARAGRAD_CLUSTER_MISSING',
      message: expect.stringContaining('paragrad cluster install ray'),
    });
  });

  it.each([{ nodes: 0 }, { nodes: 1.5 }, { nodes: 17 }, { port: 0 }, { port: 65_536 }])('%j is no option', async (options) => {
    await expect(ray.start(options)).rejects.toMatchObject({ code: 'PARAGRAD_OPTION' });
  });

  it('needs a port that nobody uses', async () => {
    installed('exit 0');
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as { port: number };
    try {
      await expect(ray.start({ port })).rejects.toMatchObject({ code: 'PARAGRAD_CLUSTER_PORT', place: { option: '--port' } });
    } finally {
      await new Promise((resolve) => server.close(resolve));
    }
  });

  it('needs processes that stay, shows what they said, and leaves nothing', async () => {
    installed('echo "ValueError: no luck today"; exit 1');
    await expect(ray.start({})).rejects.toMatchObject({
      code: 'PARAGRAD_CLUSTER_START',
      message: expect.stringMatching(/one of its processes ended:\nValueError: no luck today$/),
    });
    expect(await ray.status()).toMatchObject({ running: undefined });
    expect(existsSync(join(folder, 'ray', 'token'))).toBe(false);
  });

  it('ends with an abort, and ends what it started', async () => {
    const controller = new AbortController();
    installed('exec /bin/sleep 600');
    const starting = ray.start({ onProgress: () => setImmediate(() => controller.abort()), signal: controller.signal });
    await expect(starting).rejects.toMatchObject({ name: 'AbortError' });
    expect(await ray.status()).toMatchObject({ running: undefined });
  });
});

describe('to stop', () => {
  it('is nothing where nothing runs', async () => {
    expect(await ray.stop()).toBe(false);
  });
});

it('other clusters are not known', () => {
  expect(() => clusterOf('dask', {})).toThrow(/one of ray, not 'dask'/);
});
