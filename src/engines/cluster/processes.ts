import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

/** The variable by which processes of a local cluster are known, with the cluster's own id as its value. */
export const MARK = 'LOCAL_CLUSTER_OF_PARAGRAD';

const POLL_MS = 50;
/** After which a process that was asked to end is ended. */
const PATIENCE_MS = 12_000;
const KILL_MS = 5_000;

/**
 * Processes of a cluster, found anew each time, so that a number that now belongs to somebody else is never signalled: on
 * Linux by the mark in their environment, and all of a session that has one with the mark in it (a process that shows a title
 * of its own has overwritten its environment); elsewhere by the cluster's own folder in their command lines.
 *
 * @param sessions that are known to be the cluster's, and are added to
 */
export function processesOf(id: string, folder: string, sessions: Set<number> = new Set()): number[] {
  return process.platform === 'linux' ? inSessions(id, sessions) : withArgument(folder);
}

function inSessions(id: string, sessions: Set<number>): number[] {
  const wanted = Buffer.from(`${MARK}=${id}\0`);
  const all = readdirSync('/proc').flatMap((name) => {
    const pid = Number(name);
    if (!(pid > 0) || pid === process.pid) return [];
    try {
      const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
      // After the name, which may hold anything: state, parent, group, session.
      const [state, , , session] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      // One that is dead, and that nobody has asked after, is none.
      if (state === 'Z' || state === 'X') return [];
      return [{ pid, session: Number(session), isMarked: readFileSync(`/proc/${pid}/environ`).includes(wanted) }];
    } catch {
      return [];
    }
  });
  // Each node of a cluster is a session of its own, which its first process leads.
  for (const { session, pid, isMarked } of all) if (isMarked && pid === session) sessions.add(session);
  return all.filter(({ isMarked, session }) => isMarked || sessions.has(session)).map(({ pid }) => pid);
}

function withArgument(folder: string): number[] {
  const { stdout } = spawnSync('ps', ['-axww', '-o', 'pid=,command='], { encoding: 'utf8' });
  return stdout
    .split('\n')
    .filter((line) => line.includes(folder))
    .map((line) => Number.parseInt(line, 10))
    .filter((pid) => pid > 0 && pid !== process.pid);
}

/**
 * Ends all processes of a cluster: `first` are asked, and have time to end the others; what is left is killed.
 *
 * @returns the processes that would not end: none, but for a broken kernel
 */
export async function endProcesses(id: string, folder: string, first: readonly number[]): Promise<number[]> {
  const sessions = new Set<number>();
  const left = (): number[] => processesOf(id, folder, sessions);
  for (const pid of left()) if (first.includes(pid)) signal(pid, 'SIGTERM');
  await until(() => !left().some((pid) => first.includes(pid)), PATIENCE_MS);
  await until(() => {
    const pids = left();
    for (const pid of pids) signal(pid, 'SIGKILL');
    return pids.length === 0;
  }, KILL_MS);
  return left();
}

/** Ends some nodes of a cluster, each with the processes of its group. @param leaders their first processes */
export async function endSessions(leaders: readonly number[]): Promise<void> {
  const isThere = (pid: number): boolean => signal(pid, 0);
  for (const pid of leaders) signal(pid, 'SIGTERM');
  await until(() => !leaders.some(isThere), PATIENCE_MS);
  for (const pid of leaders) signal(-pid, 'SIGKILL');
}

/** @returns whether there was such a process */
function signal(pid: number, name: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(pid, name);
  } catch {
    // It has ended in between.
    return false;
  }
}

async function until(isDone: () => boolean, timeoutMs: number): Promise<void> {
  const endMs = performance.now() + timeoutMs;
  while (!isDone() && performance.now() < endMs) await sleep(POLL_MS);
}
