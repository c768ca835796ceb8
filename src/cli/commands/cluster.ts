import type { LocalCluster } from '../../engines/cluster/local-cluster.ts';
import { ParagradError } from '../../errors.ts';
import { Bar } from '../bar.ts';
import type { ClusterFlags } from '../flags.ts';
import { installText, startText, statusText, stopText } from '../format/cluster-result.ts';
import { json } from '../format/json.ts';
import { interruptible } from '../interrupt.ts';
import type { Terminal } from '../terminal.ts';

/** What is printed, for people and as an object, and the exit code. */
interface Outcome {
  readonly text: string;
  readonly object: object;
  readonly exitCode: number;
}

type Action = (cluster: LocalCluster, flags: ClusterFlags, terminal: Terminal) => Promise<Outcome>;

const ACTIONS: Readonly<Record<string, Action>> = { install, start, status, stop };

/** `paragrad cluster ACTION NAME`. @returns the exit code: of `status` 1 where it does not run, or not as it should */
export async function clusterCommand(action: string, name: string, flags: ClusterFlags, terminal: Terminal): Promise<number> {
  const run = Object.hasOwn(ACTIONS, action) ? ACTIONS[action] : undefined;
  if (run === undefined) throw new ParagradError('PARAGRAD_USAGE', `cluster can ${Object.keys(ACTIONS).join(', ')}, not '${action}'`);
  if (action !== 'start')
    for (const flag of ['nodes', 'port'] as const)
      if (flags[flag] !== undefined)
        throw new ParagradError('PARAGRAD_OPTION', `--${flag} belongs to cluster start`, { place: { option: `--${flag}` } });
  const { clusterOf } = await import('../../engines/cluster/registry.ts');
  const { text, object, exitCode } = await run(clusterOf(name, terminal.env), flags, terminal);
  await terminal.out.write(flags.json === true ? json(object) : `${text}\n`);
  return exitCode;
}

async function install(cluster: LocalCluster, _flags: ClusterFlags, terminal: Terminal): Promise<Outcome> {
  const { out, command } = terminal;
  return withBar(terminal, `installing ${cluster.title} ${cluster.version}`, async (bar, signal) => {
    const done = await cluster.install({ onProgress: (progress) => bar.set(progress.text, progress.done), signal });
    return {
      text: installText(cluster, done, bar.elapsedMs, command, out.style),
      object: { ...done, version: cluster.version },
      exitCode: 0,
    };
  });
}

async function start(cluster: LocalCluster, { nodes, port }: ClusterFlags, terminal: Terminal): Promise<Outcome> {
  const { out, command } = terminal;
  return withBar(terminal, `starting ${cluster.title} ${cluster.version}`, async (bar, signal) => {
    const running = await cluster.start({ nodes, port, onProgress: (progress) => bar.set(progress.text, progress.done), signal });
    return { text: startText(cluster, running, bar.elapsedMs, command, out.style), object: running, exitCode: 0 };
  });
}

async function status(cluster: LocalCluster, _flags: ClusterFlags, { out, command }: Terminal): Promise<Outcome> {
  const found = await cluster.status();
  const isWell = found.running !== undefined && found.trouble === undefined;
  const object = {
    version: cluster.version,
    installed: found.installed ?? null,
    running: found.running ?? null,
    trouble: found.trouble ?? null,
  };
  return { text: statusText(cluster, found, command, out.style), object, exitCode: isWell ? 0 : 1 };
}

async function stop(cluster: LocalCluster, _flags: ClusterFlags, terminal: Terminal): Promise<Outcome> {
  return withBar(terminal, `ending ${cluster.title}`, async (bar) => {
    const wasRunning = await cluster.stop();
    return { text: stopText(cluster, wasRunning, bar.elapsedMs, terminal.out.style), object: { stopped: wasRunning }, exitCode: 0 };
  });
}

/** Ctrl-C ends the work and leaves nothing half done. */
async function withBar<T>(terminal: Terminal, title: string, work: (bar: Bar, signal: AbortSignal) => Promise<T>): Promise<T> {
  const bar = new Bar(terminal, title);
  try {
    return await interruptible(
      (signal) => work(bar, signal),
      () => bar.set('interrupted: cleaning up', 0),
    );
  } finally {
    bar.end();
  }
}
