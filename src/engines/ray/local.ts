import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { closeSync, mkdirSync, openSync, rmSync } from 'node:fs';
import path from 'node:path';
import { ParagradError } from '../../errors.ts';
import { ClusterHome } from '../cluster/home.ts';
import type { ClusterOptions, ClusterStatus, Installation, LocalCluster, RunningCluster, StartOptions } from '../cluster/local-cluster.ts';
import { checkPort, freePorts, isFree, isListening } from '../cluster/ports.ts';
import { endProcesses, endSessions, MARK, processesOf } from '../cluster/processes.ts';
import { shortTempFolder } from '../cluster/temp-folder.ts';
import type { RayAddress } from './address.ts';
import { installRay, isInstalled, RAY_VERSION, rayFolder } from './install.ts';
import { aliveNodes } from './nodes.ts';
import { patiently, Waiting } from './waiting.ts';

const STATE = 'cluster.json';
const TOKEN = 'token';
const DEFAULT_PORT = 8265;
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
  /** Where further nodes find the head. */
  readonly gcs: number;
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
      if (before !== undefined && processesOf(before.id, before.folder).length > 0) {
        if (nodes > before.nodes && port === undefined) return await patiently(() => this.#grow(before, nodes, options));
        throw new ParagradError(
          'PARAGRAD_CLUSTER_RUNNING',
          `Ray is already running at ${before.address} with ${before.nodes} nodes: 'paragrad cluster stop ray' ends it, a larger --nodes adds some`,
        );
      }
      if (before !== undefined) this.#forget(before);
      if (port !== undefined) await checkPort(port);
      return await patiently(() => this.#launch(nodes, port, options));
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
    const { onProgress = () => undefined } = options;
    const folder = shortTempFolder('paragrad-ray-', TEMP_BYTES);
    const id = randomBytes(12).toString('hex');
    const [gcs = 0, client = 0, metrics = 0, free = 0, ...agents] = await freePorts(4 + nodes);
    const port = wanted ?? ((await isFree(DEFAULT_PORT)) ? DEFAULT_PORT : free);
    this.#home.writeSecret(TOKEN, `${randomBytes(32).toString('hex')}\n`);
    const env = this.#environment(id, metrics);
    const pids: number[] = [];
    const node = (index: number, ...args: string[]): void => {
      pids.push(this.#node(folder, index, agents[index], env, args));
    };
    const state: State = { id, address: `http://127.0.0.1:${port}`, nodes, pids, gcs, folder, startedAt: new Date().toISOString() };
    const save = (): void => this.#save(state);
    save();
    try {
      onProgress({ text: 'starting the head', done: 0.05 });
      node(0, '--head', `--port=${gcs}`, `--ray-client-server-port=${client}`, '--dashboard-host=127.0.0.1', `--dashboard-port=${port}`);
      save();
      const waiting = this.#waiting(state, pids, options);
      await waiting.until(() => isListening(gcs));
      for (let index = 1; index < nodes; index += 1) node(index, `--address=127.0.0.1:${gcs}`);
      save();
      onProgress({ text: nodes === 1 ? 'waiting for the head' : `waiting for ${nodes} nodes`, done: 0.3 });
      return await this.#ready(state, waiting, onProgress);
    } catch (error) {
      await endProcesses(id, folder, pids);
      this.#forget(state);
      throw error;
    }
  }

  /** Starts further nodes of a cluster that runs. Those that do not come up are ended, and the others go on. */
  async #grow(before: State, nodes: number, options: StartOptions): Promise<RunningCluster> {
    const { onProgress = () => undefined } = options;
    const { id, folder, gcs, pids } = before;
    // Some may have been lost: a node's number is never given twice.
    const first = pids.length;
    const [metrics = 0, ...agents] = await freePorts(1 + nodes - before.nodes);
    const env = this.#environment(id, metrics);
    const added: number[] = [];
    onProgress({ text: `starting ${agents.length} more`, done: 0.1 });
    try {
      for (const [i, port] of agents.entries()) added.push(this.#node(folder, first + i, port, env, [`--address=127.0.0.1:${gcs}`]));
      const state: State = { ...before, nodes, pids: [...pids, ...added] };
      const wanted = (await aliveNodes(this.#addressOf(before))) + added.length;
      const running = await this.#ready(state, this.#waiting(state, added, options), onProgress, wanted);
      this.#save(state);
      return running;
    } catch (error) {
      await endSessions(added);
      for (let i = 0; i < agents.length; i += 1) rmSync(path.join(folder, String(first + i)), { recursive: true, force: true });
      throw error;
    }
  }

  async #ready(
    state: State,
    waiting: Waiting,
    onProgress: NonNullable<StartOptions['onProgress']>,
    nodes = state.nodes,
  ): Promise<RunningCluster> {
    let known = 0;
    await waiting.until(async () => {
      const alive = await aliveNodes(this.#addressOf(state)).catch(() => 0);
      if (alive !== known) onProgress({ text: `${alive} of ${nodes} nodes`, done: 0.3 + (0.7 * alive) / nodes });
      known = alive;
      return alive >= nodes;
    });
    return this.#running(state, processesOf(state.id, state.folder).length);
  }

  #save(state: State): void {
    this.#home.writeSecret(STATE, `${JSON.stringify(state)}\n`);
  }

  /** @param pids that must not end meanwhile */
  #waiting({ id, folder }: State, pids: readonly number[], { signal }: StartOptions): Waiting {
    return new Waiting(() => pids.every((pid) => processesOf(id, folder).includes(pid)), folder, signal);
  }

  /** Starts a node in a folder of its own. @returns its process */
  #node(folder: string, index: number, agentPort: number | undefined, env: NodeJS.ProcessEnv, args: readonly string[]): number {
    const own = path.join(folder, String(index));
    mkdirSync(own, { mode: 0o700 });
    const common = [
      ...['start', '--block', '--disable-usage-stats', '--log-style=record', '--node-ip-address=127.0.0.1', `--num-cpus=${NODE_CPUS}`],
      ...[`--object-store-memory=${OBJECT_STORE_BYTES}`, `--dashboard-agent-listen-port=${agentPort}`, `--temp-dir=${own}`],
    ];
    return this.#spawn([...common, ...args], path.join(folder, `${index}.log`), env);
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

function badOption(option: string, what: string, value: unknown): ParagradError {
  return new ParagradError('PARAGRAD_OPTION', `${option} must be ${what}, not ${String(value)}`, { place: { option } });
}

function checkPlatform(): void {
  if (process.platform === 'win32')
    throw new ParagradError('PARAGRAD_CLUSTER_INSTALL', 'local clusters run on Linux and macOS; on Windows they run in WSL');
}
