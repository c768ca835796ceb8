import { notOneOf } from '../data/names.ts';
import { WITH_PROCESSES } from '../engines/engine.ts';
import { ParagradError } from '../errors.ts';
import type { Layout } from '../partition/layout.ts';
import type { Partition } from '../partition/plan.ts';
import { DEFAULT_EPOCHS } from '../strategies/batch-setup.ts';
import type { StrategyChoice, StrategyName } from '../strategies/choice.ts';
import { clientPartition, clientsOf } from '../strategies/clients.ts';
import { LATE_RULES } from '../strategies/parameter-server/late.ts';
import { STRATEGIES } from '../strategies/registry.ts';
import { DEFAULT_BATCH_ROWS } from '../update/batch/defaults.ts';
import { type ReplayedOption, readOrders } from './orders.ts';
import type { TrainOptions } from './train-options.ts';
import { mostWorkers } from './workers.ts';

/** Options of strategies: who takes which, what they may be, and what does not go together. */

const FLAGS = {
  staleness: '--staleness',
  late: '--late',
  servers: '--servers',
  replay: '--replay',
  syncEvery: '--sync-every',
  clients: '--clients',
  participation: '--participation',
  serverMomentum: '--server-momentum',
  topology: '--topology',
  partner: '--partner',
} as const;
type Own = keyof typeof FLAGS;

const TAKES: Readonly<Record<StrategyName, readonly Own[]>> = {
  'map-reduce': [],
  'parameter-server': ['staleness', 'late', 'servers', 'replay'],
  'local-sgd': ['syncEvery', 'clients', 'participation', 'serverMomentum'],
  hogwild: [],
  gossip: ['syncEvery', 'topology', 'partner'],
};

type Given = Pick<TrainOptions, Own | ReplayedOption | 'strategy' | 'engine' | 'partition' | 'earlyStopping' | 'explain' | 'workers'>;

/** Most steps between two averages that are chosen for the user. */
const MOST_STEPS = 16;
const DEFAULT_CLIENTS = 4;

/** The strategy takes a step for every mini-batch, whatever the optimizer. */
export function takesBatches({ strategy }: { readonly strategy?: StrategyName | undefined }): boolean {
  return strategy !== undefined && strategy !== 'map-reduce';
}

/** @throws PARAGRAD_OPTION with what to say instead */
export function checkStrategyOptions(options: Given): void {
  const { strategy = 'map-reduce', engine = 'auto', partition = 'auto', l2, optimizer = 'auto' } = options;
  oneOf('--strategy', strategy, Object.keys(STRATEGIES));
  for (const name of Object.keys(FLAGS) as Own[]) {
    if (options[name] === undefined || TAKES[strategy].includes(name)) continue;
    const owners = (Object.keys(TAKES) as StrategyName[]).filter((owner) => TAKES[owner].includes(name));
    throw wrong(FLAGS[name], `${FLAGS[name]} is for --strategy ${owners.join(' or ')}: add that, or leave it out`);
  }
  whole('--staleness', options.staleness, 0, 1e6);
  whole('--servers', options.servers, 1, 1024);
  whole('--sync-every', options.syncEvery, 1, 1e9);
  whole('--clients', options.clients, 1, 65_536);
  number('--participation', options.participation, (x) => x > 0 && x <= 1, 'a number above 0 and at most 1');
  number('--server-momentum', options.serverMomentum, (x) => x >= 0 && x < 1, 'a number of at least 0 and below 1');
  if (options.late !== undefined) oneOf('--late', options.late, Object.keys(LATE_RULES));
  if (options.topology !== undefined) oneOf('--topology', options.topology, ['ring', 'torus', 'complete']);
  if (options.partner !== undefined) oneOf('--partner', options.partner, ['rotating', 'random']);
  if (strategy === 'map-reduce') return;
  if (strategy === 'hogwild' && WITH_PROCESSES.includes(engine))
    throw wrong(
      '--strategy',
      `--strategy hogwild needs memory in common, which --engine ${engine} has not: use --strategy parameter-server there, or --engine threads`,
    );
  if (partition === 'columns' || partition === 'grid')
    throw wrong('--partition', `--strategy ${strategy} gives every worker whole rows: use --partition rows, or --strategy map-reduce`);
  if (l2 === 'auto') throw wrong('--l2', `--l2 auto is found with --strategy map-reduce: find it so, and give it to ${strategy}`);
  if (optimizer === 'svrg')
    throw wrong(
      '--optimizer',
      `--optimizer svrg needs gradients of all rows at the same weights: use sgd with --strategy ${strategy}, or --strategy map-reduce`,
    );
  if (options.earlyStopping !== undefined)
    throw wrong(
      '--early-stopping',
      `--early-stopping needs a loss after every update, which ${strategy} does not have: use --epochs or --time-limit`,
    );
  if (options.explain === true) throw wrong('--explain', '--explain shows the first gradient of --strategy map-reduce: leave it out');
  if (options.late === 'refuse' && options.staleness !== undefined)
    throw wrong(
      '--late',
      '--late refuse with --staleness would wait for gradients and then refuse them: use --late damp, or leave out --staleness',
    );
  const workers = mostWorkers(options);
  if (options.clients !== undefined && workers !== undefined && options.clients < workers)
    throw wrong(
      '--clients',
      `--clients ${options.clients} leaves some of ${workers} workers without one: use at most ${options.clients} workers`,
    );
}

/** Clients of local SGD: fixed by the data, and by what was said. */
export function clientCount(layout: Layout, { clients }: Pick<TrainOptions, 'clients'>): number {
  return clients ?? Math.max(1, Math.min(DEFAULT_CLIENTS, layout.chunks));
}

/** The split of a strategy by whole rows. @throws PARAGRAD_PARTITION where workers would be left without rows */
export function strategyPartition(
  layout: Layout,
  options: Pick<TrainOptions, 'strategy' | 'clients'>,
  workers: number,
): Partition | undefined {
  if (!takesBatches(options)) return undefined;
  const clients = clientCount(layout, options);
  const most = options.strategy === 'local-sgd' ? Math.min(clients, layout.chunks) : layout.chunks;
  if (workers > most || clients > layout.chunks)
    throw new ParagradError(
      'PARAGRAD_PARTITION',
      `--strategy ${options.strategy} needs rows for each of ${Math.max(workers, options.strategy === 'local-sgd' ? clients : 0)}, and these data have ${layout.chunks} chunks of ${layout.chunkRows} rows: use fewer ${workers > most ? '--workers' : '--clients'}, or a smaller --chunk-rows`,
      { place: { option: workers > most ? '--workers' : '--clients' } },
    );
  return options.strategy === 'local-sgd' ? clientPartition(layout, clientsOf(layout, clients), workers) : undefined;
}

/** Who has so many steps between two exchanges must have as many in the whole run: there would be none on the way. */
function checkRounds(
  { strategy, syncEvery, batchSize = DEFAULT_BATCH_ROWS, epochs = DEFAULT_EPOCHS }: Given,
  rows: number,
  parts: number,
): void {
  const steps = Math.ceil(epochs * Math.ceil(rows / (parts * batchSize)));
  if (syncEvery === undefined || syncEvery <= steps) return;
  const whose = strategy === 'gossip' ? 'worker' : 'client';
  throw wrong(
    '--sync-every',
    `--sync-every ${syncEvery} is more than the ${steps} steps of a ${whose} in ${epochs} epochs: use fewer, or more --epochs`,
  );
}

/** The choice with all defaults. @throws PARAGRAD_OPTION, PARAGRAD_REPLAY */
export async function strategyChoice(options: Given, layout: Layout, workers: number): Promise<StrategyChoice | undefined> {
  const { strategy: name } = options;
  if (name === undefined || name === 'map-reduce') return undefined;
  const { servers = 1, batchSize = DEFAULT_BATCH_ROWS } = options;
  if (servers > layout.columns + 1)
    throw wrong('--servers', `--servers ${servers} is more than there are weights (${layout.columns + 1}): use fewer`);
  const clients = clientCount(layout, options);
  const perClient = Math.max(1, Math.floor(layout.rows / (clients * batchSize)));
  checkRounds(options, layout.rows, name === 'gossip' ? workers : clients);
  return {
    name,
    batchSize,
    staleness: options.staleness ?? 'asynchronous',
    late: options.late ?? 'apply',
    servers,
    // A quarter of what a client has: from the data alone, so that workers decide no bit.
    syncEvery: options.syncEvery ?? (name === 'gossip' ? 1 : Math.min(MOST_STEPS, Math.max(1, Math.floor(perClient / 4)))),
    clients,
    participation: options.participation ?? 1,
    serverMomentum: options.serverMomentum ?? 0,
    topology: options.topology ?? 'ring',
    partner: options.partner ?? 'rotating',
    replay: options.replay === undefined ? undefined : await readOrders(options.replay, options, servers, workers),
  };
}

function wrong(option: string, message: string): ParagradError {
  return new ParagradError('PARAGRAD_OPTION', message, { place: { option } });
}

function oneOf(option: string, value: string, known: readonly string[]): void {
  if (!known.includes(value)) throw wrong(option, notOneOf(option, value, known));
}

function whole(option: string, value: number | undefined, least: number, most: number): void {
  if (value !== undefined && !(Number.isSafeInteger(value) && value >= least && value <= most))
    throw wrong(option, `${option} must be a whole number from ${least} to ${most}, not ${value}`);
}

function number(option: string, value: number | undefined, good: (x: number) => boolean, what: string): void {
  if (value !== undefined && !(Number.isFinite(value) && good(value))) throw wrong(option, `${option} must be ${what}, not ${value}`);
}
