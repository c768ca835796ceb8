import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { closeSync, mkdirSync, openSync, rmSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ParagradError } from '../../errors.ts';
import { ClusterHome } from '../cluster/home.ts';
import type { ClusterOptions, ClusterStatus, Installation, LocalCluster, RunningCluster, StartOptions } from '../cluster/local-cluster.ts';
import { checkPort, freePorts, isFree, isListening } from '../cluster/ports.ts';
import { endProcesses, MARK, processesOf } from '../cluster/processes.ts';
import { shortTempFolder } from '../cluster/temp-folder.ts';
import type { RayAddress } from './address.ts';
import { installRay, isInstalled, RAY_VERSION, rayFolder } from './install.ts';
import { aliveNodes, logTail } from './nodes.ts';

const STATE = 'cluster.json';
const TOKEN = 'token';
const DEFAULT_PORT = 8265;
const READY_TIMEOUT_MS = 120_000;
const POLL_MS = 100;
/** Small: paragrad keeps its data in its own workers. */
const OBJECT_STORE_BYTES = 100_000_000;
/** Logical: says how many workers a node takes, not what the machine has. */
const NODE_CPUS = 4;
/** `session_<date>_<pid>/sockets/plasma_store` must fit into the 107 bytes of a socket's path, after this. */
const TEMP_BYTES = 40;
const MOST_NODES = 16;

/** What a start leaves for the commands after it. */
interface State {
  readonly id: string;
  readonly address: string;
  readonly nodes: number;
  /** One per node, head first: `ray start --block`. */
  readonly pids: readonly number[];
  readonly folder: string;
  readonly startedAt: string;
}

/** Ray on this machine: a head and further nodes, all on loopback, with a token. */
export class LocalRay implements LocalCluster {
  readonly name = 'ray';
  readonly title = 'Ray';
  readonly version = RAY_VERSION;
  readonly #env: NodeJS.ProcessEnv;
  readonly #home: ClusterHome;

  constructor(env: Readonly<Record<string, string | undefined>>) {
    this.#env = env as NodeJS.ProcessEnv;
    this.#home = new ClusterHome('ray', env);
  }

  install(options: ClusterOptions): Promise<Installation> {
    checkPlatform();
    return this.#home.locked(() => installRay(this.#home, options, this.#env));
  }

  async start(options: StartOptions): Promise<RunningCluster> {
    const { nodes = 1, port } = options;
    checkPlatform();
    if (!Number.isSafeInteger(nodes) || nodes < 1 || nodes > MOST_NODES)
      throw badOption('--nodes', `a whole number from 1 to ${MOST_NODES}`, nodes);
    if (port !== undefined && (!Number.isSafeInteger(port) || port < 1 || port > 65_535))
      throw badOption('--port', 'a whole number from 1 to 65535', port);
    return this.#home.locked(async () => {
      if (!isInstalled(this.#home))
        throw new ParagradError('PARAGRAD_CLUSTER_MISSING', `Ray is not installed here: 'paragrad cluster install ray' does it, once`);
      const before = this.#state();
      if (before !== undefined && processesOf(before.id, before.folder).length > 0)
        throw new ParagradError(
          'PARAGRAD_CLUSTER_RUNNING',
          `Ray is already running at ${before.address}: 'paragrad cluster stop ray' ends it`,
        );
      if (before !== undefined) this.#forget(before);
      if (port !== undefined) await checkPort(port);
      return await this.#launch(nodes, port, options);
    });
  }

  async status(): Promise<ClusterStatus> {
    const installed = isInstalled(this.#home) ? rayFolder(this.#home) : undefined;
    const state = this.#state();
    const processes = state === undefined ? 0 : processesOf(state.id, state.folder).length;
    if (state === undefined || processes === 0) return { installed, running: undefined, trouble: undefined };
    const running = this.#running(state, processes);
    try {
      const alive = await aliveNodes(this.#addressOf(state));
      return { installed, running, trouble: alive < state.nodes ? `${alive} of ${state.nodes} nodes are alive` : undefined };
    } catch (error) {
      return { installed, running, trouble: (error as Error).message };
    }
  }

  stop(): Promise<boolean> {
    return this.#home.locked(async () => {
      const state = this.#state();
      if (state === undefined) return false;
      const wasRunning = processesOf(state.id, state.folder).length > 0;
      const left = await endProcesses(state.id, state.folder, state.pids);
      if (left.length > 0) throw new ParagradError('PARAGRAD_CLUSTER_START', `processes of Ray do not end: ${left.join(', ')}`);
      this.#forget(state);
      return wasRunning;
    });
  }

  /** Where the cluster is reached that was started here; undefined where none runs. */
  address(): RayAddress | undefined {
    const state = this.#state();
    if (state === undefined || processesOf(state.id, state.folder).length === 0) return undefined;
    return this.#addressOf(state);
  }

  #addressOf({ address }: State): RayAddress {
    return { url: address, token: this.#home.read(TOKEN)?.trim() };
  }

  #state(): State | undefined {
    const text = this.#home.read(STATE);
    if (text === undefined) return undefined;
    try {
      return JSON.parse(text) as State;
    } catch {
      return undefined;
    }
  }

  #running({ address, nodes, startedAt }: State, processes: number): RunningCluster {
    return { address, nodes, startedAt, processes, tokenFile: this.#home.file(TOKEN) };
  }

  #forget({ folder }: State): void {
    this.#home.remove(STATE);
    this.#home.remove(TOKEN);
    rmSync(folder, { recursive: true, force: true });
  }

  async #launch(nodes: number, wanted: number | undefined, options: StartOptions): Promise<RunningCluster> {
    const { onProgress = () => undefined, signal } = options;
    const folder = shortTempFolder('paragrad-ray-', TEMP_BYTES);
    const id = randomBytes(12).toString('hex');
    const [gcs = 0, client = 0, metrics = 0, free = 0, ...agents] = await freePorts(4 + nodes);
    const port = wanted ?? ((await isFree(DEFAULT_PORT)) ? DEFAULT_PORT : free);
    this.#home.writeSecret(TOKEN, `${randomBytes(32).toString('hex')}\n`);
    const env = this.#environment(id, metrics);
    const pids: number[] = [];
    const node = (index: number, ...args: string[]): void => {
      const own = path.join(folder, String(index));
      mkdirSync(own, { mode: 0o700 });
      const common = [
        ...['start', '--block', '--disable-usage-stats', '--log-style=record', '--node-ip-address=127.0.0.1', `--num-cpus=${NODE_CPUS}`],
        ...[`--object-store-memory=${OBJECT_STORE_BYTES}`, `--dashboard-agent-listen-port=${agents[index]}`, `--temp-dir=${own}`],
      ];
      pids.push(this.#spawn([...common, ...args], path.join(folder, `${index}.log`), env));
    };
    const state: State = { id, address: `http://127.0.0.1:${port}`, nodes, pids, folder, startedAt: new Date().toISOString() };
    const save = (): void => this.#home.writeSecret(STATE, `${JSON.stringify(state)}\n`);
    save();
    try {
      onProgress({ text: 'starting the head', done: 0.05 });
      node(0, '--head', `--port=${gcs}`, `--ray-client-server-port=${client}`, '--dashboard-host=127.0.0.1', `--dashboard-port=${port}`);
      save();
      const waiting = new Waiting(() => pids.every((pid) => processesOf(id, folder).includes(pid)), folder, signal);
      await waiting.until(() => isListening(gcs));
      for (let index = 1; index < nodes; index += 1) node(index, `--address=127.0.0.1:${gcs}`);
      save();
      onProgress({ text: nodes === 1 ? 'waiting for the head' : `waiting for ${nodes} nodes`, done: 0.3 });
      let known = 0;
      await waiting.until(async () => {
        const alive = await aliveNodes(this.#addressOf(state)).catch(() => 0);
        if (alive !== known) onProgress({ text: `${alive} of ${nodes} nodes`, done: 0.3 + (0.7 * alive) / nodes });
        known = alive;
        return alive >= nodes;
      });
      return this.#running(state, processesOf(id, folder).length);
    } catch (error) {
      await endProcesses(id, folder, pids);
      this.#forget(state);
      throw error;
    }
  }

  #environment(id: string, metricsPort: number): NodeJS.ProcessEnv {
    const { RAY_ADDRESS: _address, RAY_AUTH_TOKEN: _token, ...env } = this.#env;
    const bin = path.join(rayFolder(this.#home), 'bin');
    return {
      ...env,
      [MARK]: id,
      // A job's `python` is looked up there, and so is the Node.js of its workers.
      PATH: [bin, path.dirname(process.execPath), env.PATH ?? ''].join(path.delimiter),
      RAY_AUTH_MODE: 'token',
      RAY_AUTH_TOKEN_PATH: this.#home.file(TOKEN),
      RAY_USAGE_STATS_ENABLED: '0',
      DASHBOARD_METRIC_PORT: String(metricsPort),
      PYTHONUNBUFFERED: '1',
    };
  }

  #spawn(args: readonly string[], log: string, env: NodeJS.ProcessEnv): number {
    const file = openSync(log, 'a', 0o600);
    try {
      const child = spawn(path.join(rayFolder(this.#home), 'bin', 'ray'), args, { env, detached: true, stdio: ['ignore', file, file] });
      child.on('error', () => undefined);
      child.unref();
      return child.pid ?? 0;
    } finally {
      closeSync(file);
    }
  }
}

/** Waits for parts of a cluster, as long as its processes live. */
class Waiting {
  readonly #isAlive: () => boolean;
  readonly #folder: string;
  readonly #signal: AbortSignal | undefined;
  readonly #endMs = performance.now() + READY_TIMEOUT_MS;

  constructor(isAlive: () => boolean, folder: string, signal: AbortSignal | undefined) {
    this.#isAlive = isAlive;
    this.#folder = folder;
    this.#signal = signal;
  }

  /** @throws PARAGRAD_CLUSTER_START */
  async until(isReady: () => Promise<boolean>): Promise<void> {
    while (!(await isReady())) {
      if (!this.#isAlive()) throw this.#failed('one of its processes ended');
      if (performance.now() > this.#endMs) throw this.#failed(`it was not ready within ${READY_TIMEOUT_MS / 1000} s`);
      await sleep(POLL_MS, undefined, { signal: this.#signal });
    }
  }

  #failed(why: string): ParagradError {
    const said = logTail(this.#folder);
    return new ParagradError('PARAGRAD_CLUSTER_START', `Ray did not start: ${why}${said === '' ? '' : `:\n${said}`}`);
  }
}

function badOption(option: string, what: string, value: unknown): ParagradError {
  return new ParagradError('PARAGRAD_OPTION', `${option} must be ${what}, not ${String(value)}`, { place: { option } });
}

function checkPlatform(): void {
  if (process.platform === 'win32')
    throw new ParagradError('PARAGRAD_CLUSTER_INSTALL', 'local clusters run on Linux and macOS; on Windows they run in WSL');
}
