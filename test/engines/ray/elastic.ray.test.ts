import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { ArraySource } from '../../../src/data/arrays.ts';
import { processesOf } from '../../../src/engines/cluster/processes.ts';
import { normal } from '../../../src/random.ts';
import { train } from '../../../src/run/train.ts';
import { describeWith } from '../../support/components.ts';
import { type RealCluster, realCluster } from './real-cluster.ts';

const ROWS = 2000;
const COLUMNS = 8;
const SHAPE = { chunkRows: 64, validationFraction: 0.2, seed: 3 } as const;
const SOURCE: ArraySource = (() => {
  const x = Float64Array.from({ length: ROWS * COLUMNS }, (_, i) => normal(1, 'test', i));
  const y = Float64Array.from({ length: ROWS }, (_, i) => (x[i * COLUMNS] as number) + 0.1 * normal(2, 'test', i));
  return { x, rows: ROWS, columns: COLUMNS, y };
})();

/** Each node has room for four workers: how many there are shows which nodes are used. */
describeWith('ray', 'workers that come and go with the nodes of a Ray', (stamp) => {
  let cluster: RealCluster;
  const before = process.env.PARAGRAD_CACHE;

  beforeAll(async () => {
    cluster = realCluster(stamp);
    process.env.PARAGRAD_CACHE = cluster.cache;
    await cluster.ray.start({ nodes: 1 });
  });
  afterAll(async () => {
    if (before === undefined) delete process.env.PARAGRAD_CACHE;
    else process.env.PARAGRAD_CACHE = before;
    await cluster.stop();
  });

  const read = (file: string): string => {
    try {
      return readFileSync(file, 'utf8');
    } catch {
      return '';
    }
  };
  const processes = (pattern: RegExp): number[] => {
    const { id, folder } = JSON.parse(read(join(cluster.cache, 'ray/cluster.json'))) as { id: string; folder: string };
    return processesOf(id, folder).filter((pid) => pattern.test(read(`/proc/${pid}/cmdline`).replaceAll('\0', ' ').trim()));
  };
  const folderOfNode = (index: number): string =>
    join((JSON.parse(read(join(cluster.cache, 'ray/cluster.json'))) as { folder: string }).folder, String(index));
  const raylet = (index: number): number =>
    processes(/\/raylet /).find((pid) => read(`/proc/${pid}/cmdline`).includes(`${folderOfNode(index)}/`)) ?? 0;
  const parentOf = (pid: number): number => Number(/^PPid:\s+(\d+)/m.exec(read(`/proc/${pid}/status`))?.[1]);
  /** Workers whose actors a node started. */
  const workersOn = (index: number): number => {
    const own = raylet(index);
    return processes(/worker\.mjs$/).filter((pid) => parentOf(parentOf(pid)) === own).length;
  };
  const noneIsLeft = (): Promise<void> =>
    expect.poll(() => processes(/(worker|coordinator)\.mjs$|^ray::Worker|launcher\.py/), { timeout: 30_000 }).toEqual([]);

  it('uses a node that joins, goes on without one that is lost, and has the bits of one thread', async () => {
    const controller = new AbortController();
    const options = { ...SHAPE, optimizer: 'gradient-descent', learningRate: 1e-6, tolerance: 0 } as const;
    const notes: string[] = [];
    let joining: Promise<unknown> | undefined;
    let placed: number[] = [];
    let lost = 0;
    const { summary } = await train(SOURCE, {
      ...options,
      engine: 'ray',
      workers: '2:6',
      // So that the run leaves the processor to the node that comes.
      linkDelay: '20ms',
      maxPasses: 10_000_000,
      signal: controller.signal,
      onEvent: (event) => {
        if (event.kind === 'steps') joining ??= cluster.ray.start({ nodes: 2 });
        if (event.kind !== 'note') return;
        notes.push(event.text);
        if (/^6 workers from step \d+ on: .*joined/.test(event.text)) {
          placed = [workersOn(0), workersOn(1)];
          lost = raylet(1);
          process.kill(lost, 'SIGKILL');
        }
        // The end, once the run goes on without.
        if (lost > 0 && /^[2-5] workers from step \d+ on: .*lost/.test(event.text)) controller.abort();
      },
    });
    await joining;
    expect(notes).toContainEqual(expect.stringMatching(/^the run begins with [2-4] workers/));
    expect(placed).toEqual([4, 2]);
    expect(read(`/proc/${lost}/cmdline`)).toBe('');
    expect(summary.reason).toBe('aborted');
    const crews = summary.crews ?? [];
    expect(crews.map(({ workers }) => workers)).toContain(6);
    expect(crews.at(-1)?.workers).toBeLessThan(6);
    const plain = await train(SOURCE, { ...options, engine: 'inline', maxPasses: summary.passes });
    expect(plain.summary.passes).toBe(summary.passes);
    expect(summary.weightsSha256).toBe(plain.summary.weightsSha256);
    await noneIsLeft();
  });

  it('a parameter server goes on without the workers of a node, and no gradient is older than said', async () => {
    await cluster.ray.start({ nodes: 3 });
    const best = (await train(SOURCE, { ...SHAPE, engine: 'inline' })).summary;
    const staleness = 4;
    let lost = 0;
    // Some may come a moment after the run has begun.
    let all = false;
    const { summary } = await train(SOURCE, {
      ...SHAPE,
      engine: 'ray',
      workers: '1:6',
      linkDelay: '2ms',
      strategy: 'parameter-server',
      staleness,
      epochs: 100,
      batchSize: 32,
      onEvent: (event) => {
        if (event.kind === 'note' && /^(the run begins with )?6 workers/u.test(event.text)) all = true;
        if (event.kind !== 'steps' || !all || lost > 0) return;
        lost = raylet(2);
        process.kill(lost, 'SIGKILL');
      },
    });
    expect(lost).toBeGreaterThan(0);
    const crews = summary.crews ?? [];
    const whole = crews.findIndex(({ workers }) => workers === 6);
    expect(whole).toBeGreaterThanOrEqual(0);
    expect(crews.slice(whole + 1).some((crew) => crew.lost > 0 && crew.workers < 6)).toBe(true);
    expect((summary.nullLoss - summary.loss) / (best.nullLoss - best.loss)).toBeGreaterThan(0.99);
    const ages = summary.costs?.staleness ?? [];
    expect(ages.reduce((sum, each) => sum + each, 0)).toBeGreaterThan(0);
    expect(ages.length - 1).toBeLessThanOrEqual(staleness);
    await noneIsLeft();
  });
});
