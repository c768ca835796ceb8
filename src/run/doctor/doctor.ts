import { cpus, totalmem } from 'node:os';
import { openDuck } from '../../data/duckdb.ts';
import { groupCpus, groupMemoryBytes, memoryLimitBytes, usableCores } from '../../data/limits.ts';
import { newSegment } from '../../data/store.ts';
import type { ClusterStatus } from '../../engines/cluster/local-cluster.ts';
import { clusterOf } from '../../engines/cluster/registry.ts';
import { WasmInstance } from '../../kernels/instance.ts';
import { NUMERICS_VERSION } from '../version.ts';
import { measureReadLimit } from './read-limit.ts';
import { type SelfTestResult, selfTest } from './self-test.ts';

/** One thing that was looked at. */
export interface Check {
  readonly name: 'Node.js' | 'cores' | 'memory' | 'SIMD' | 'read limit' | 'DuckDB' | 'Ray' | 'self-test, inline' | 'self-test, threads';
  /** warning: works, but not as well as it could. */
  readonly status: 'ok' | 'warning' | 'failed';
  /** What was found, in a few words. */
  readonly found: string;
  /** What follows from it, or what to do. */
  readonly remark: string;
}

/** What `doctor` finds. */
export interface Diagnosis {
  /** No check failed. */
  readonly ok: boolean;
  readonly numericsVersion: number;
  readonly node: string;
  readonly platform: string;
  readonly cpu: string;
  readonly machineCores: number;
  readonly usableCores: number;
  readonly machineMemoryBytes: number;
  readonly usableMemoryBytes: number;
  /** One thread; null where the kernels do not run. */
  readonly readLimitGBps: number | null;
  readonly selfTest: readonly SelfTestResult[];
  readonly checks: readonly Check[];
}

const OLDEST = [20, 19] as const;
/** Below this a table of some size leaves nothing for anything else. */
const LITTLE_MEMORY = 2 * 1024 ** 3;
const MOST_TEST_WORKERS = 4;

type Finding = Omit<Check, 'name'>;

/** Looks at this machine, and trains a tiny problem whose bits are known. Takes a second or two. */
export async function doctor(): Promise<Diagnosis> {
  const cores = usableCores();
  const workers = Math.min(MOST_TEST_WORKERS, Math.max(2, cores));
  let readLimitGBps: number | null = null;
  const results: SelfTestResult[] = [];
  const tested = (engine: 'inline' | 'threads', count: number): Promise<Finding> =>
    attempt(async () => {
      const found = await selfTest(engine, count);
      results.push(...found);
      return bits(found);
    });
  const checks: Check[] = [
    { name: 'Node.js', ...nodeVersion(process.versions.node) },
    { name: 'cores', ...coresFound(cores) },
    { name: 'memory', ...memoryFound() },
    { name: 'SIMD', ...(await attempt(simd)) },
    {
      name: 'read limit',
      ...(await attempt(() => {
        readLimitGBps = measureReadLimit();
        return ok(`${readLimitGBps.toFixed(1)} GB/s`, 'one thread; a pass over the data cannot be faster');
      })),
    },
    { name: 'DuckDB', ...(await attempt(duckdb)) },
    { name: 'Ray', ...(await attempt(localRay)) },
    { name: 'self-test, inline', ...(await tested('inline', 1)) },
    { name: 'self-test, threads', ...(await tested('threads', workers)) },
  ];
  return {
    ok: checks.every(({ status }) => status !== 'failed'),
    numericsVersion: NUMERICS_VERSION,
    node: process.versions.node,
    platform: `${process.platform} ${process.arch}`,
    cpu: cpus()[0]?.model.trim() ?? '',
    machineCores: cpus().length,
    usableCores: cores,
    machineMemoryBytes: totalmem(),
    usableMemoryBytes: memoryLimitBytes(),
    readLimitGBps,
    selfTest: results,
    checks,
  };
}

const ok = (found: string, remark = ''): Finding => ({ status: 'ok', found, remark });
const GB = (bytes: number): string => `${(bytes / 1e9).toFixed(1)} GB`;

/** A check that throws has failed, and says why. */
async function attempt(check: () => Finding | Promise<Finding>): Promise<Finding> {
  try {
    return await check();
  } catch (error) {
    return {
      status: 'failed',
      found: 'does not work',
      remark: error instanceof Error ? (error.message.split('\n')[0] as string) : String(error),
    };
  }
}

/** @param version as `process.versions.node` */
export function nodeVersion(version: string): Finding {
  const [major, minor] = version.split('.').map(Number) as [number, number];
  const old = major < OLDEST[0] || (major === OLDEST[0] && minor < OLDEST[1]);
  return old ? { status: 'failed', found: version, remark: `${OLDEST.join('.')} or later is needed` } : ok(version);
}

function coresFound(cores: number): Finding {
  const group = groupCpus();
  const machine = cpus().length;
  const limit = group < machine ? `a control group allows ${group.toFixed(1)} of ${machine}` : `${machine} in the machine`;
  if (cores > 1) return ok(String(cores), limit);
  return { status: 'warning', found: '1', remark: `${limit}: threads have nothing to share, so training runs in one` };
}

function memoryFound(): Finding {
  const usable = memoryLimitBytes();
  const limit = groupMemoryBytes() < totalmem() ? `a control group allows this much of ${GB(totalmem())}` : '';
  if (usable >= LITTLE_MEMORY) return ok(GB(usable), limit);
  return { status: 'warning', found: GB(usable), remark: `${limit === '' ? '' : `${limit}: `}large tables will not fit` };
}

function simd(): Finding {
  new WasmInstance(newSegment(0)).named('readLimit');
  return ok('works', 'WebAssembly with 128-bit vectors and shared memory');
}

async function duckdb(): Promise<Finding> {
  const duck = await openDuck();
  try {
    const version = (await duck.strings('SELECT version()'))[0]?.[0] ?? '';
    return ok(version, 'reads files');
  } finally {
    duck.close();
  }
}

/** Only `--engine ray` needs one, so that it is no fault to have none. */
async function localRay(): Promise<Finding> {
  const { title, version, ...cluster } = await clusterStatus();
  if (cluster.running === undefined && cluster.installed === undefined)
    return ok('no local one', 'for --engine ray without an address: paragrad cluster install ray');
  if (cluster.running === undefined) return ok(`${version}, not running`, 'paragrad cluster start ray --nodes 3');
  const found = `${version}, ${cluster.running.nodes} nodes at ${cluster.running.address}`;
  if (cluster.trouble === undefined) return ok(found, 'local');
  return { status: 'warning', found, remark: `${cluster.trouble}: paragrad cluster stop ray, then start it again` };
}

async function clusterStatus(): Promise<ClusterStatus & { title: string; version: string }> {
  const ray = clusterOf('ray', process.env);
  return { title: ray.title, version: ray.version, ...(await ray.status()) };
}

function bits(results: readonly SelfTestResult[]): Finding {
  const wrong = results.filter(({ sha256, expected }) => sha256 !== expected);
  const workers = results[0]?.workers ?? 0;
  const where = workers === 1 ? 'one thread' : `${workers} threads`;
  if (wrong.length === 0) return ok('the bits of every machine', `${results.length} models on ${where}`);
  const names = wrong.map(({ name }) => name).join('; ');
  return {
    status: 'failed',
    found: 'other bits',
    remark: `${names} (${where}): please report this, with the output of paragrad doctor --json`,
  };
}
