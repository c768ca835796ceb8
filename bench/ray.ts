import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { ArraySource } from '../src/data/arrays.ts';
import type { RayAddress } from '../src/engines/ray/address.ts';
import { RayJobs } from '../src/engines/ray/jobs-api.ts';
import { LocalRay } from '../src/engines/ray/local.ts';
import { zip } from '../src/engines/ray/zip.ts';
import { normal } from '../src/random.ts';
import { train } from '../src/run/train.ts';
import type { TrainOptions } from '../src/run/train-options.ts';
import type { RunSummary } from '../src/run/types.ts';

/**
 * A parameter server on a Ray of two nodes on this machine, in turns with the one that Ray's documentation teaches (NumPy), with
 * as many workers, rows, columns and rows of a batch; and what a job of Ray costs more than the same run on processes. Needs
 * `npm run engine:ray`; NumPy is put beside it.
 *
 *   node scripts/run-ts.mjs bench/ray.ts [turns]
 */
const ROWS = 100_000;
const COLUMNS = 50;
const BATCH = 256;
const WORKERS = 2;
const PEER_UPDATES = 500;
const EPOCHS = 5;
const ENGINES = resolve('.engines');
const NUMPY = join(ENGINES, 'ray/numpy');

function ensureNumpy(): void {
  if (existsSync(join(NUMPY, 'numpy'))) return;
  const python = join(ENGINES, 'ray/2.60.0/bin/python');
  spawnSync(python, ['-m', 'pip', 'install', '--quiet', '--only-binary=:all:', '--target', NUMPY, 'numpy==2.4.6'], { stdio: 'inherit' });
}

function source(): ArraySource {
  const x = Float32Array.from({ length: ROWS * COLUMNS }, (_, i) => normal(0, 'test', i));
  const y = Float64Array.from({ length: ROWS }, (_, i) => {
    let z = 0;
    for (let j = 0; j < COLUMNS; j += 1) z += ((x[i * COLUMNS + j] as number) * j) / COLUMNS;
    return z;
  });
  return { x, rows: ROWS, columns: COLUMNS, y };
}

/** Updates of the server, by the time from its first to its last. */
function updatesPerSecond({ costs }: RunSummary): number {
  const server = costs?.ranks.find(({ role }) => role === 'server');
  if (server === undefined) return Number.NaN;
  return server.steps / ((server.computeMs + server.waitMs + server.communicateMs) / 1000);
}

async function peerUpdatesPerSecond(address: RayAddress, turn: number): Promise<number> {
  const jobs = new RayJobs(address);
  const script = 'ray_parameter_server.py';
  const workingDir = await jobs.putPackage(zip([{ path: script, bytes: readFileSync(join('bench/peers', script)) }]));
  const id = `peer-${turn}-${process.pid}`;
  await jobs.submit({ id, workingDir, entrypoint: `python ${script} ${NUMPY} ${ROWS} ${COLUMNS} ${BATCH} ${WORKERS} ${PEER_UPDATES}` });
  let found = Number.NaN;
  const log: string[] = [];
  await jobs.follow(id, (line) => {
    log.push(line);
    if (line.startsWith('RESULT ')) found = (JSON.parse(line.slice(7)) as { updatesPerSecond: number }).updatesPerSecond;
  });
  if (Number.isNaN(found)) console.error(log.slice(-20).join('\n'));
  return found;
}

const turns = Number(process.argv[2] ?? 3);
ensureNumpy();
const cache = mkdtempSync(join(tmpdir(), 'paragrad-bench-'));
mkdirSync(join(cache, 'ray'));
symlinkSync(join(ENGINES, 'ray/2.60.0'), join(cache, 'ray/2.60.0'));
process.env.PARAGRAD_CACHE = cache;
const ray = new LocalRay(process.env);
try {
  await ray.start({ nodes: 2 });
  const data = source();
  const options: TrainOptions = { workers: WORKERS, strategy: 'parameter-server', batchSize: BATCH, epochs: EPOCHS };
  for (let turn = 0; turn < turns; turn += 1) {
    const onRay = (await train(data, { ...options, engine: 'ray' })).summary;
    const peer = await peerUpdatesPerSecond(ray.address() as RayAddress, turn);
    const onProcesses = (await train(data, { ...options, engine: 'processes' })).summary;
    const rate = updatesPerSecond(onRay);
    console.log(
      `updates/s: Ray ${rate.toFixed(0)}, processes ${updatesPerSecond(onProcesses).toFixed(0)}, Ray with NumPy ${peer.toFixed(0)} (${(rate / peer).toFixed(1)} ×); ` +
        `command to model: Ray ${onRay.seconds.total.toFixed(1)} s, processes ${onProcesses.seconds.total.toFixed(1)} s`,
    );
  }
} finally {
  await ray.stop();
  rmSync(cache, { recursive: true, force: true });
}
