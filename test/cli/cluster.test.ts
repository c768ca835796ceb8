import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { Bar, barLine } from '../../src/cli/bar.ts';
import { runCli } from '../../src/cli/cli.ts';
import { startText, statusText } from '../../src/cli/format/cluster-result.ts';
import { PLAIN } from '../../src/cli/format/style.ts';
import { widthOf } from '../../src/cli/format/text.ts';
import { fakeTerminal } from './fake-terminal.ts';

const folder = mkdtempSync(join(tmpdir(), 'paragrad-cluster-'));
afterAll(() => rmSync(folder, { recursive: true }));

async function run(...argv: string[]): Promise<{ code: number; out: string; err: string }> {
  const terminal = fakeTerminal({ env: { PARAGRAD_CACHE: folder, PATH: folder } });
  return { code: await runCli(argv, terminal), ...terminal.texts };
}

describe('paragrad cluster', () => {
  it('has a help with groups and examples, that fits', async () => {
    const { out } = await run('cluster', '--help');
    for (const part of ['\nStart:\n', '\nOutput:\n', '\nExamples:\n']) expect(out).toContain(part);
    for (const line of out.split('\n')) expect(widthOf(line)).toBeLessThanOrEqual(100);
  });

  it.each([
    [['cluster'], /missing required argument/],
    [['cluster', 'restart', 'ray'], /cluster can install, start, status, stop, not 'restart' \[PARAGRAD_USAGE\]/],
    [['cluster', 'start', 'dask'], /must be one of ray, not 'dask' \[PARAGRAD_OPTION\]/],
    [['cluster', 'start', 'ray', '--nodes', 'many'], /--nodes must be a whole number/],
    [['cluster', 'start', 'ray', '--nodes', '0'], /--nodes must be .* 1 to 16, not 0/],
    [['cluster', 'stop', 'ray', '--nodes', '2'], /--nodes belongs to cluster start/],
  ])('%j', async (argv, message) => {
    const { code, err } = await run(...argv);
    expect(code).toBe(2);
    expect(err).toMatch(message);
  });

  it('says what to do where nothing is installed', async () => {
    const { code, err } = await run('cluster', 'start', 'ray');
    expect({ code, err }).toEqual({
      code: 1,
      err: "error: Ray is not installed here: 'paragrad cluster install ray' does it, once [PARAGRAD_CLUSTER_MISSING]\n",
    });
  });

  it('tells where nothing runs', async () => {
    const { code, out } = await run('cluster', 'status', 'ray');
    expect({ code, out }).toEqual({ code: 1, out: 'Ray 2.60.0  not running\n  installed  no: paragrad cluster install ray\n' });
    expect(JSON.parse((await run('cluster', 'status', 'ray', '--json')).out)).toEqual({
      version: '2.60.0',
      installed: null,
      running: null,
      trouble: null,
    });
    expect(await run('cluster', 'stop', 'ray')).toEqual({ code: 0, out: 'Ray 2.60.0  was not running\n', err: '' });
  });
});

describe('texts', () => {
  const ray = { name: 'ray', title: 'Ray', version: '2.60.0' } as const;
  const running = { address: 'http://127.0.0.1:8265', nodes: 3, tokenFile: '/c/token', startedAt: '2026-01-02T03:04:05Z', processes: 30 };

  it('of a cluster that was started', () => {
    expect(startText(ray, running, 9_200, 'paragrad', PLAIN)).toBe(
      [
        'Ray 2.60.0  3 nodes on this machine, ready in 9.20 s',
        '  address  http://127.0.0.1:8265',
        '  token    in /c/token',
        '  end it   paragrad cluster stop ray',
      ].join('\n'),
    );
  });

  it('of a cluster that runs, but not well', () => {
    expect(statusText(ray, { installed: '/c/2.60.0', running, trouble: '2 of 3 nodes are alive' }, 'paragrad', PLAIN)).toBe(
      [
        'Ray 2.60.0  running',
        '  installed  /c/2.60.0',
        '  address    http://127.0.0.1:8265',
        '  token      in /c/token',
        '  nodes      3, 30 processes, since 2026-01-02T03:04:05Z',
        '  trouble    2 of 3 nodes are alive',
      ].join('\n'),
    );
  });
});

describe('a bar', () => {
  it('is a line that says what, how much and how long', () => {
    expect(barLine('installing Ray', 0.5, 'downloading grpcio', 12_000)).toBe(
      'installing Ray  ━━━━━━━━━━━━────────────  50 %  12.0 s  downloading grpcio',
    );
  });

  it('never goes back, and is drawn on a terminal alone', () => {
    const live = fakeTerminal({ live: true });
    const bar = new Bar(live, 'a', () => 0);
    bar.set('b', 0.5);
    bar.set('c', 0.25);
    bar.end();
    expect(live.texts.err.split('\r\u001b[2K').slice(-2)).toEqual([barLine('a', 0.5, 'c', 0), '']);
    const still = fakeTerminal();
    const quiet = new Bar(still, 'a', () => 0);
    quiet.set('b', 0.5);
    quiet.end();
    expect(still.texts.err).toBe('');
  });
});
