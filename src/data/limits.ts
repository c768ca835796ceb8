import { readFileSync } from 'node:fs';
import { availableParallelism, totalmem } from 'node:os';

/**
 * What this process may use of the machine. Containers limit it by control groups, whose limits Node.js 20 knows in part only;
 * those of all groups above count, too.
 */
type Read = (path: string) => string | undefined;

const ROOT = '/sys/fs/cgroup';

const readText: Read = (path) => {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch {
    return undefined;
  }
};

/** Folders of the process's control group and of those above it: of version 2, or of a controller of version 1. */
function* groups(read: Read, controller: string): Generator<{ folder: string; version: 1 | 2 }> {
  for (const line of (read('/proc/self/cgroup') ?? '0::/').split('\n')) {
    const [, controllers = '', path = ''] = /^\d+:([^:]*):(.*)$/u.exec(line) ?? [];
    const version = controllers === '' ? 2 : 1;
    if (version === 1 && !controllers.split(',').includes(controller)) continue;
    const parts = path.split('/').filter((part) => part !== '' && part !== '..');
    for (let depth = parts.length; depth >= 0; depth -= 1) {
      const folder = [version === 2 ? ROOT : `${ROOT}/${controller}`, ...parts.slice(0, depth)].join('/');
      yield { folder, version };
    }
  }
}

/** Bytes of memory: `memory.max`, or `memory.limit_in_bytes` of version 1. Infinity: no limit. */
export function groupMemoryBytes(read: Read = readText): number {
  let limit = Number.POSITIVE_INFINITY;
  for (const { folder, version } of groups(read, 'memory')) {
    const bytes = Number(read(`${folder}/${version === 2 ? 'memory.max' : 'memory.limit_in_bytes'}`) ?? Number.NaN);
    if (bytes > 0) limit = Math.min(limit, bytes);
  }
  return limit;
}

/** CPUs, as a fraction: `cpu.max`, or `cpu.cfs_quota_us` of version 1. Infinity: no limit. */
export function groupCpus(read: Read = readText): number {
  let limit = Number.POSITIVE_INFINITY;
  for (const { folder, version } of groups(read, 'cpu')) {
    const [quota, period] =
      version === 2
        ? (read(`${folder}/cpu.max`) ?? '').split(' ')
        : [read(`${folder}/cpu.cfs_quota_us`), read(`${folder}/cpu.cfs_period_us`)];
    const cpus = Number(quota ?? Number.NaN) / Number(period ?? Number.NaN);
    if (cpus > 0) limit = Math.min(limit, cpus);
  }
  return limit;
}

/** Bytes this process may use: limits of control groups count, not only the machine's memory. */
export function memoryLimitBytes(): number {
  const constrained = process.constrainedMemory();
  return Math.min(totalmem(), groupMemoryBytes(), constrained > 0 ? constrained : Number.POSITIVE_INFINITY);
}

/**
 * Threads that run at the same time. A part of a CPU does not count: a thread that is stopped in the middle of a step keeps all
 * others waiting.
 */
export function usableCores(): number {
  return Math.max(1, Math.min(availableParallelism(), Math.floor(groupCpus())));
}
