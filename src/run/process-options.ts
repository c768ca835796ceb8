import { notOneOf } from '../data/names.ts';
import { type EngineOptions, type RankFault, type RayOptions, WITH_PROCESSES } from '../engines/engine.ts';
import { ParagradError } from '../errors.ts';
import { STRATEGIES } from '../strategies/registry.ts';
import { linkOptionsOf } from './link-options.ts';
import { checkMachineOptions, type MachineChoices, machinesOf, OF_MACHINES } from './machine-options.ts';
import type { ResolvedOptions } from './options.ts';
import type { TrainOptions } from './train-options.ts';
import { mostWorkers } from './workers.ts';

/** Options of `--engine processes`: what they may be, and what the engine makes of them. */

const COMMUNICATE = ['peer-to-peer', 'client-server', 'ring'];
/** Phases that a fault can be put into (docs/algorithms.md). */
const FAULT_PHASES = ['map', 'all-to-all', 'reduce-scatter', 'all-gather', 'shuffle', 'reduce', 'broadcast', 'loading', 'idle'];
const OWN = [
  'communicate',
  'reducers',
  'backup',
  'maxRestarts',
  'workerTimeoutSeconds',
  'linkDelay',
  'linkRate',
  'compress',
  'kill',
  'pause',
  'slow',
] as const;
const FLAGS: Readonly<Record<(typeof OWN)[number], string>> = {
  communicate: '--communicate',
  reducers: '--reducers',
  backup: '--backup',
  maxRestarts: '--max-restarts',
  workerTimeoutSeconds: '--worker-timeout',
  linkDelay: '--link-delay',
  linkRate: '--link-rate',
  compress: '--compress',
  kill: '--kill',
  pause: '--pause',
  slow: '--slow',
};

/** Options of `--engine ray`. */
const OF_RAY = ['rayAddress', 'rayTokenFile', 'rayData', 'node'] as const;
const RAY_FLAGS: Readonly<Record<(typeof OF_RAY)[number], string>> = {
  rayAddress: '--ray-address',
  rayTokenFile: '--ray-token-file',
  rayData: '--ray-data',
  node: '--node',
};

type Given = MachineChoices &
  Pick<
    TrainOptions,
    (typeof OWN)[number] | (typeof OF_RAY)[number] | 'engine' | 'workers' | 'strategy' | 'servers' | 'partition' | 'batchSize' | 'explain'
  >;

/** Options without those that only processes have: for a run that goes on with another engine. */
export function withoutProcesses(options: TrainOptions): TrainOptions {
  return Object.fromEntries(Object.entries(options).filter(([name]) => ![...OWN, ...OF_MACHINES, ...OF_RAY].some((own) => own === name)));
}

function wrong(option: string, message: string): ParagradError {
  return new ParagradError('PARAGRAD_OPTION', message, { place: { option } });
}

/** Threads have faults on purpose, too; whether a lost one is replaced is the strategy's business. */
function enginesOf(name: (typeof OWN)[number]): readonly string[] {
  if (name === 'backup') return ['processes'];
  return ['kill', 'pause', 'slow', 'maxRestarts'].includes(name) ? ['threads', ...WITH_PROCESSES] : WITH_PROCESSES;
}

/** @throws PARAGRAD_OPTION */
export function checkProcessOptions(options: Given): void {
  for (const name of OWN)
    if (options[name] !== undefined && !enginesOf(name).includes(options.engine ?? 'auto'))
      throw wrong(FLAGS[name], `${FLAGS[name]} is for --engine ${enginesOf(name).join(' or ')}: add that, or leave it out`);
  for (const name of OF_RAY)
    if (options[name] !== undefined && options.engine !== 'ray')
      throw wrong(RAY_FLAGS[name], `${RAY_FLAGS[name]} is for --engine ray: add that, or leave it out`);
  if (!['auto', 'send', 'shared'].includes(options.rayData ?? 'auto'))
    throw wrong('--ray-data', `--ray-data must be one of auto, send, shared, not '${options.rayData}'`);
  if (!['system', 'ship'].includes(options.node ?? 'system'))
    throw wrong('--node', `--node must be one of system, ship, not '${options.node}'`);
  checkMachineOptions(options);
  const { communicate, reducers, maxRestarts, workerTimeoutSeconds } = options;
  const workers = mostWorkers(options);
  if (communicate !== undefined && !COMMUNICATE.includes(communicate))
    throw wrong('--communicate', notOneOf('--communicate', communicate, COMMUNICATE));
  if (reducers !== undefined && communicate !== 'client-server')
    throw wrong('--reducers', '--reducers is for --communicate client-server, where some workers add for all');
  whole('--reducers', reducers, 1, 1024);
  if (reducers !== undefined && workers !== undefined && reducers > workers)
    throw wrong('--reducers', `--reducers ${reducers} must not be more than --workers ${workers}: reducers are workers`);
  checkBackup(options);
  whole('--max-restarts', maxRestarts, 0, 1e6);
  if (maxRestarts !== undefined && options.engine === 'threads' && STRATEGIES[options.strategy ?? 'map-reduce']?.merge === undefined)
    throw wrong(
      '--max-restarts',
      `--max-restarts: with --engine threads a lost worker of ${options.strategy ?? 'map-reduce'} is not replaced: use --engine processes, or leave it out`,
    );
  if (workerTimeoutSeconds !== undefined && !(workerTimeoutSeconds > 0 && workerTimeoutSeconds <= 86_400))
    throw wrong('--worker-timeout', `--worker-timeout must be a time above 0 and of at most a day, not ${workerTimeoutSeconds}`);
  faultsOf(options);
}

/** A backup computes what a worker computes, for the one rank that adds. */
function checkBackup(options: Given): void {
  const { backup, communicate, reducers = 1, strategy, partition, batchSize, compress, explain } = options;
  if (backup === undefined) return;
  const workers = mostWorkers(options);
  whole('--backup', backup, 1, 1024);
  const only = (what: string): ParagradError => wrong('--backup', `--backup is for ${what}`);
  if (communicate !== 'client-server') throw only('--communicate client-server, where one worker takes whose part comes first: add that');
  if (reducers > 1) throw only('one reducer, which alone decides whose part came first: leave out --reducers');
  if (strategy !== undefined && strategy !== 'map-reduce') throw only(`--strategy map-reduce, not ${strategy}`);
  if (partition === 'columns' || partition === 'grid')
    throw only(`--partition rows: with ${partition} a worker is waited for within the pass, too`);
  if (batchSize !== undefined) throw only('readings of all rows: leave out --batch-size, and optimizers that need it');
  if (compress !== undefined) throw only('whole gradients: leave out --compress');
  if (explain === true) throw only('runs without --explain, which shows what each worker sent');
  if (workers !== undefined && backup >= workers)
    throw wrong('--backup', `--backup ${backup} must be less than --workers ${workers}: worker 0 adds, and has no backup`);
}

/** Who has which rank: workers first, then servers or backups. */
function ranksText(workers: number, servers: number, backups: number): string {
  const of = (count: number, what: string, first: number): string =>
    count === 1 ? `one ${what} has the rank ${first}` : `${count} ${what}s have the ranks ${first} to ${first + count - 1}`;
  return [
    of(workers, 'worker', 0),
    ...(servers > 0 ? [of(servers, 'server', workers)] : []),
    ...(backups > 0 ? [of(backups, 'backup', workers)] : []),
  ].join(', ');
}

function whole(option: string, value: number | undefined, least: number, most: number): void {
  if (value === undefined || (Number.isSafeInteger(value) && value >= least && value <= most)) return;
  throw wrong(option, `${option} must be a whole number from ${least} to ${most}, not ${value}`);
}

/** What the options say to the engine. @param job of a cluster, see `RayOptions` */
export function engineOptionsOf(options: ResolvedOptions, job: Pick<RayOptions, 'attach' | 'onJob'> = {}): EngineOptions {
  const { communicate, reducers, backup, maxRestarts, workerTimeoutSeconds, rayAddress, rayTokenFile, rayData, node } = options;
  return {
    ...(options.engine === 'ray' ? { ray: { address: rayAddress, tokenFile: rayTokenFile, data: rayData, node, ...job } } : {}),
    communicate,
    reducers,
    backup,
    maxRestarts,
    silenceMs: workerTimeoutSeconds === undefined ? undefined : workerTimeoutSeconds * 1000,
    ...linkOptionsOf(options),
    faults: faultsOf(options),
    machines: machinesOf(options),
  };
}

/** Ranks beside the workers. @throws PARAGRAD_OPTION when there are too few workers, where that is decided by the data */
export function backupsOf(options: ResolvedOptions, workers: number): number {
  checkBackup({ ...options, workers });
  return options.backup ?? 0;
}

/** @throws PARAGRAD_OPTION */
function faultsOf(options: Given): RankFault[] {
  const { kill = [], pause = [], slow = [], strategy, servers = 1, backup = 0 } = options;
  const workers = mostWorkers(options);
  const faults: RankFault[] = [
    ...kill.map(
      (text): RankFault => ({ kind: 'kill', ...placeOf('--kill', text, /^(\d+)@(\d+)(?::([a-z-]+))?$/u, '1@5 or 1@5:all-gather') }),
    ),
    ...pause.map((text): RankFault => {
      const place = placeOf('--pause', text, /^(\d+)@(\d+)(?::([a-z-]+))?=(?:\d+(?:\.\d+)?)(?:ms|s|m)$/u, '1@5=2s or 1@5:map=500ms');
      const [, amount, unit] = /=([\d.]+)(ms|s|m)$/u.exec(text) ?? [];
      return { kind: 'pause', ...place, ms: Number(amount) * ({ ms: 1, s: 1000, m: 60_000 }[unit as 'ms' | 's' | 'm'] ?? 1) };
    }),
    ...slow.map((text): RankFault => {
      const [, rank, times] = /^(\d+)=(\d+(?:\.\d+)?)x?$/u.exec(text) ?? [];
      if (rank === undefined || !(Number(times) >= 1))
        throw wrong('--slow', `--slow must be like 1=3x: a rank, and how many times as long, not '${text}'`);
      return { kind: 'slow', rank: Number(rank), times: Number(times) };
    }),
  ];
  for (const { kind, rank } of faults)
    if (workers !== undefined && rank >= workers + (strategy === 'parameter-server' ? servers : 0) + backup)
      throw wrong(
        `--${kind}`,
        `--${kind}: there is no rank ${rank}: ${ranksText(workers, strategy === 'parameter-server' ? servers : 0, backup)}`,
      );
  return faults;
}

function placeOf(option: string, text: string, form: RegExp, example: string): { rank: number; step: number; phase: string | undefined } {
  const [, rank, step, phase] = form.exec(text) ?? [];
  if (rank === undefined || step === undefined) throw wrong(option, `${option} must be like ${example}: a rank, and a step, not '${text}'`);
  if (phase !== undefined && !FAULT_PHASES.includes(phase))
    throw wrong(option, `${option}: there is no phase '${phase}': ${FAULT_PHASES.join(', ')}`);
  return { rank: Number(rank), step: Number(step), phase };
}
