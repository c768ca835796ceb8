import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { EngineHooks, RayOptions } from '../../../src/engines/engine.ts';
import { linesOf } from '../../../src/engines/ray/lines.ts';
import type { RayReport } from '../../../src/engines/ray/messages.ts';
import { RaySession } from '../../../src/engines/ray/session.ts';
import { encodePlain } from '../../../src/engines/worker/plain.ts';
import type { TrainingJob, TrainingOutcome } from '../../../src/strategies/job.ts';
import { type FakeDashboard, fakeDashboard } from './fake-dashboard.ts';

/** The user's side, against a dashboard that tells what a cluster would. */
let folder: string;
let before: string | undefined;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'paragrad-session-'));
  writeFileSync(join(folder, 'manifest.json'), '{}');
  before = process.env.PARAGRAD_CACHE;
  process.env.PARAGRAD_CACHE = join(folder, 'cache');
});
afterAll(() => {
  if (before === undefined) delete process.env.PARAGRAD_CACHE;
  else process.env.PARAGRAD_CACHE = before;
  rmSync(folder, { recursive: true });
});

const OUTCOME = { reason: 'converged', weightSum: 0.1 } as unknown as TrainingOutcome;
const job = (): TrainingJob => ({ partition: { kind: 'rows' }, model: 'linear', source: { folder, id: 'a' } }) as unknown as TrainingJob;

let log: string;
let status: string;
let submitted: Record<string, unknown> | undefined;
const files = new Map<string, Buffer>();
let dashboard: FakeDashboard;
const tell = (...reports: RayReport[]): string => `${reports.flatMap((report, number) => linesOf(number, report)).join('\n')}\n`;

beforeEach(async () => {
  log = '';
  status = 'SUCCEEDED';
  submitted = undefined;
  dashboard = await fakeDashboard({
    http: ({ method, url = '' }, body) => {
      if (url === '/api/version') return { status: 200, text: '{"ray_version": "2.60.0"}' };
      if (url.startsWith('/api/packages/')) return { status: method === 'GET' ? 404 : 200 };
      const file = /logs\/file\?.*filename=([^&]+)/.exec(url)?.[1];
      if (file !== undefined) return { status: 200, body: files.get(file) ?? Buffer.alloc(0) };
      if (url === '/api/jobs/') submitted = JSON.parse(body.toString()) as Record<string, unknown>;
      if (url.endsWith('/stop')) status = 'STOPPED';
      if (url.endsWith('/logs')) return { status: 200, text: JSON.stringify({ logs: log }) };
      return { status: 200, text: JSON.stringify({ status, message: 'as Ray says it' }) };
    },
    tail: (socket) => socket.close(),
  });
});
afterEach(() => dashboard[Symbol.asyncDispose]());

const train = (hooks: EngineHooks = {}, options: RayOptions = {}): Promise<TrainingOutcome> =>
  new RaySession(2, { ray: { address: dashboard.url, ...options } }).train(job(), hooks);

describe('a message that is too long for the log', () => {
  const CHECKPOINT = { optimizer: 'lbfgs', state: new Float64Array([1, 2]) };
  const told = async (spoil: (body: Buffer) => Buffer, ...last: RayReport[]): Promise<[unknown[], string[]]> => {
    const body = Buffer.concat(encodePlain({ kind: 'checkpoint', checkpoint: CHECKPOINT }));
    const sha256 = createHash('sha256').update(body).digest('hex');
    files.set('a.bin', spoil(Buffer.from(body)));
    log = tell({ kind: 'file', name: 'a.bin', node: 'n1', bytes: body.length, sha256 }, ...last);
    const checkpoints: unknown[] = [];
    const notes: string[] = [];
    const run = train({ onCheckpoint: (checkpoint) => checkpoints.push(checkpoint), onNote: (text) => notes.push(text) });
    await (last.length === 0 ? expect(run).rejects.toMatchObject({ code: 'PARAGRAD_RAY_JOB' }) : run);
    return [checkpoints, notes];
  };

  it('is fetched, all its bits, before a run without a result ends', async () => {
    expect(await told((body) => body)).toEqual([
      [CHECKPOINT],
      [expect.stringContaining('paragrad attach'), expect.stringContaining('sending')],
    ]);
    expect(dashboard.asked).toContain('GET /api/v0/logs/file?node_id=n1&filename=a.bin&lines=-1&timeout=600');
  });

  it.each([
    ['is gone', () => Buffer.alloc(0), /cannot be had from the cluster/],
    ['has other bytes', (body: Buffer) => body.fill(1, 8, 9), /other \d+ bytes than were written/],
  ])('is not used when it %s', async (_, spoil, why) => {
    const [checkpoints, notes] = await told(spoil);
    expect(checkpoints).toEqual([]);
    expect(notes.at(-1)).toMatch(why);
  });

  it('is not waited for when there is a result', async () => {
    expect((await told((body) => body, { kind: 'outcome', outcome: OUTCOME }))[1]).toHaveLength(2);
  });
});

describe('a run on Ray', () => {
  it('sends a package and a job, hears of progress, and has its outcome', async () => {
    log = `words of others\n${tell({ kind: 'note', text: 'a loss' }, { kind: 'steps', steps: [] }, { kind: 'outcome', outcome: OUTCOME })}`;
    const notes: string[] = [];
    const jobs: [string, boolean][] = [];
    const onJob = (id: string, isOver: boolean): void => void jobs.push([id, isOver]);
    expect(await train({ onNote: (text) => notes.push(text) }, { onJob })).toEqual(OUTCOME);
    expect(submitted).toMatchObject({ entrypoint: 'python launcher.py', metadata: { tool: 'paragrad', workers: '2', partition: 'rows' } });
    expect(jobs).toEqual([[submitted?.submission_id, false]]);
    expect(notes[0]).toContain(`paragrad attach ${String(submitted?.submission_id)}`);
    expect(notes.at(-1)).toBe('a loss');
    expect(dashboard.asked.filter((request) => request.startsWith('PUT'))).toHaveLength(1);
  });

  it('follows a job that was left, and submits nothing', async () => {
    log = tell({ kind: 'outcome', outcome: OUTCOME });
    expect(await train({}, { attach: 'paragrad-1' })).toEqual(OUTCOME);
    expect(submitted).toBeUndefined();
  });

  it('fails with what a worker failed with', async () => {
    const error = { code: 'PARAGRAD_DIVERGED', message: 'rose', place: { rank: 1 } } as const;
    status = 'FAILED';
    log = tell({ kind: 'failed', error });
    const jobs: boolean[] = [];
    await expect(train({}, { onJob: (_id, isOver) => jobs.push(isOver) })).rejects.toMatchObject(error);
    expect(jobs).toEqual([false, true]);
  });

  it('fails with what the launcher says', async () => {
    status = 'FAILED';
    log = '@paragrad-note {"text": "waiting for room"}\n@paragrad-failed {"code": "PARAGRAD_RAY_NODE", "message": "no Node.js on a"}\n';
    const notes: string[] = [];
    await expect(train({ onNote: (text) => notes.push(text) })).rejects.toMatchObject({
      code: 'PARAGRAD_RAY_NODE',
      message: 'no Node.js on a',
    });
    expect(notes.at(-1)).toBe('waiting for room');
  });

  it('fails with the end of the log where nobody said why', async () => {
    status = 'FAILED';
    log = 'Traceback\nValueError: no luck\n';
    await expect(train()).rejects.toMatchObject({
      code: 'PARAGRAD_RAY_JOB',
      message: expect.stringMatching(
        /^job paragrad-\w+ ended \(FAILED\) without a result: as Ray says it\nTraceback\nValueError: no luck$/,
      ),
    });
  });

  it('stops the job on an abort; what it still says counts, and without that the abort does', async () => {
    for (const isLate of [false, true]) {
      status = 'RUNNING';
      log = isLate ? '' : tell({ kind: 'outcome', outcome: OUTCOME });
      const controller = new AbortController();
      const run = train({ signal: controller.signal, onNote: () => undefined }, { onJob: () => controller.abort() });
      if (isLate) await expect(run).rejects.toMatchObject({ name: 'AbortError' });
      else expect(await run).toEqual(OUTCOME);
      expect(dashboard.asked.filter((request) => request.endsWith('/stop'))).toHaveLength(isLate ? 2 : 1);
    }
  });

  it('throws what a hook throws, when the job has been stopped', async () => {
    log = tell({ kind: 'note', text: 'now' }, { kind: 'outcome', outcome: OUTCOME });
    const onNote = (text: string): void => {
      if (text === 'now') throw new Error('no more');
    };
    await expect(train({ onNote })).rejects.toThrow('no more');
    await expect.poll(() => dashboard.asked.some((request) => request.endsWith('/stop'))).toBe(true);
  });
});
