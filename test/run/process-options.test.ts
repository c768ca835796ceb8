import { expect, test } from 'vitest';
import { ParagradError } from '../../src/errors.ts';
import { resolveOptions } from '../../src/run/options.ts';
import { engineOptionsOf } from '../../src/run/process-options.ts';
import type { TrainOptions } from '../../src/run/train-options.ts';

const PROCESSES = { engine: 'processes', workers: 3 } as const;

test.each<[TrainOptions, string]>([
  [{ communicate: 'ring' }, '--communicate'],
  [{ engine: 'threads', workerTimeoutSeconds: 5 }, '--worker-timeout'],
  [{ engine: 'inline', kill: ['0@1'] }, '--kill'],
  [{ engine: 'threads', maxRestarts: 2 }, '--max-restarts'],
  [{ engine: 'threads', strategy: 'gossip', maxRestarts: 2 }, '--max-restarts'],
  [{ ...PROCESSES, communicate: 'by-post' as 'ring' }, '--communicate'],
  [{ ...PROCESSES, reducers: 2 }, '--reducers'],
  [{ ...PROCESSES, communicate: 'client-server', reducers: 4 }, '--reducers'],
  [{ ...PROCESSES, communicate: 'client-server', reducers: 0 }, '--reducers'],
  [{ ...PROCESSES, backup: 1 }, '--backup'],
  [{ ...PROCESSES, communicate: 'client-server', backup: 3 }, '--backup'],
  [{ ...PROCESSES, communicate: 'client-server', backup: 0 }, '--backup'],
  [{ ...PROCESSES, communicate: 'client-server', backup: 1, reducers: 2 }, '--backup'],
  [{ ...PROCESSES, communicate: 'client-server', backup: 1, partition: 'grid' }, '--backup'],
  [{ ...PROCESSES, communicate: 'client-server', backup: 1, optimizer: 'sgd' }, '--backup'],
  [{ ...PROCESSES, communicate: 'client-server', backup: 1, explain: true }, '--backup'],
  [{ ...PROCESSES, communicate: 'client-server', backup: 1, compress: 'f32', optimizer: 'gradient-descent' }, '--backup'],
  [{ engine: 'ray', workers: 3, communicate: 'client-server', backup: 1 }, '--backup'],
  [{ ...PROCESSES, maxRestarts: -1 }, '--max-restarts'],
  [{ ...PROCESSES, workerTimeoutSeconds: 0 }, '--worker-timeout'],
  [{ ...PROCESSES, kill: ['1'] }, '--kill'],
  [{ ...PROCESSES, kill: ['1@5:lunch'] }, '--kill'],
  [{ ...PROCESSES, kill: ['3@5'] }, '--kill'],
  [{ ...PROCESSES, pause: ['1@5'] }, '--pause'],
  [{ ...PROCESSES, pause: ['1@5=2h'] }, '--pause'],
  [{ ...PROCESSES, slow: ['1=0.5x'] }, '--slow'],
])('%j: refused, with the name of the option', (options, option) => {
  try {
    resolveOptions(options);
    expect.unreachable();
  } catch (error) {
    expect(error).toBeInstanceOf(ParagradError);
    expect(error).toMatchObject({ code: 'PARAGRAD_OPTION', place: { option } });
    expect((error as ParagradError).message).toContain(option);
  }
});

test('what the options say to the engine', () => {
  const options = resolveOptions({
    ...PROCESSES,
    communicate: 'client-server',
    reducers: 2,
    maxRestarts: 0,
    workerTimeoutSeconds: 1.5,
    kill: ['1@5', '2@6:all-gather'],
    pause: ['0@7=250ms', '0@8:map=1.5s'],
    slow: ['2=3x'],
  });
  expect(engineOptionsOf(options)).toMatchObject({
    communicate: 'client-server',
    reducers: 2,
    maxRestarts: 0,
    silenceMs: 1500,
    faults: [
      { kind: 'kill', rank: 1, step: 5, phase: undefined },
      { kind: 'kill', rank: 2, step: 6, phase: 'all-gather' },
      { kind: 'pause', rank: 0, step: 7, phase: undefined, ms: 250 },
      { kind: 'pause', rank: 0, step: 8, phase: 'map', ms: 1500 },
      { kind: 'slow', rank: 2, times: 3 },
    ],
  });
});
