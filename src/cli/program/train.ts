import type { Command } from 'commander';
import { withConfig } from '../config.ts';
import type { Handlers, TrainFlags } from '../flags.ts';
import { parseCount, parseCounts, parseDuration, parseNumber, parseRate } from '../options.ts';
import {
  COLUMNS,
  DTYPE,
  examples,
  FILES,
  group,
  HELP,
  JSON_OPTION,
  KEY_FILE,
  LAYOUT,
  LOG_TARGET,
  list,
  MODEL,
  option,
  POSITIVE,
  SHUFFLE,
  SPLIT,
  STANDARDIZE,
  sourceOf,
} from './shared.ts';

export function addTrain(program: Command, handlers: Handlers): void {
  const train = program.command('train').argument('[file...]', `${FILES}; or a dataset folder`).summary('train a model from a table');
  train.description('Trains a linear, logistic or softmax model from a table, and saves it in a folder.');
  group(
    train,
    'Data:',
    option('--target <column>', 'the column to predict (needed, but for a dataset folder)'),
    ...COLUMNS(),
    POSITIVE(),
    ...SPLIT(),
    SHUFFLE(),
  );
  group(
    train,
    'Model:',
    MODEL(),
    option(
      '--l2 <number>',
      'penalty on large weights; auto: of 20 values the best on the validation rows (default 1 / number of training rows; with weights, 1 / their sum)',
      parseRate,
    ),
    option('--class-weight <none|balanced>', 'balanced: all classes weigh the same in training (default none)'),
    option('--no-intercept', 'train without an intercept'),
    STANDARDIZE(),
    LOG_TARGET(),
  );
  group(
    train,
    'Training:',
    option(
      '--optimizer <name>',
      'auto, conjugate-gradient, normal-equations, lbfgs, plain-lbfgs, newton-cg, gradient-descent, momentum, nesterov; of mini-batches: sgd, svrg, adam, adamw, rmsprop or adagrad (default auto)',
    ),
    option('--learning-rate <number>', 'step of gradient-descent, momentum, nesterov and mini-batches, or auto (default auto)', parseRate),
    option('--line-search <none|backtracking>', 'gradient-descent: backtracking looks for every step (default none)'),
    option('--momentum <number>', 'share of the last step that is kept (momentum: default 0.9)', parseNumber),
    option(
      '--tolerance <number>',
      'end at this part of the possible gain; 0: as precise as can be (default 1e-6, with mini-batches 5e-3)',
      parseNumber,
    ),
    option('--max-passes <count>', 'most readings of the training rows (default 1000)', parseCount),
    option('--time-limit <time>', 'end training after 90, 90s, 5m or 1h, and keep what was learned', parseDuration),
    option('--start <null|zero>', 'start at the intercept-only model, or at all zeros (default null)'),
    option('--init <model>', 'start at the weights of a model that was trained before'),
    option('--early-stopping <count>', 'end after so many updates without a lower validation loss, and keep its weights', parseCount),
    option('--resume <run>', 'go on with an interrupted run, from its last checkpoint'),
    option('--checkpoint-every <time>', 'save what --resume needs this often (default 60s)', parseDuration),
  );
  group(
    train,
    'Mini-batches (a step for every few rows, each row once per epoch):',
    option(
      '--batch-size <rows>',
      'rows of a batch (default: all rows at once; 256 with sgd, svrg, adam, adamw, rmsprop, adagrad)',
      parseCount,
    ),
    option(
      '--epochs <count>',
      'exactly so many times through the rows (default: until --tolerance is reached; 10 with another --strategy than map-reduce, which takes parts such as 0.25, too)',
      parseNumber,
    ),
    option(
      '--schedule <how>',
      'the rate: auto (halved where noise is what remains), constant, step (halved every 5 epochs), cosine (over --epochs, else 20) or inverse-sqrt (default auto; constant with a --learning-rate)',
    ),
    option('--warmup <epochs>', 'epochs over which the rate rises, such as 0.5 (default 0)', parseNumber),
    option(
      '--precondition <how>',
      'multiply gradients with the inverse of a sampled curvature matrix (sample), of its diagonal, or not (none) (default auto, by cost)',
    ),
  );
  group(
    train,
    'Parallel (with map-reduce and local-sgd, the same bits whatever is chosen):',
    option('--engine <name>', 'auto, inline, threads, processes or ray (default auto: inline or threads, by the size of the data)'),
    option(
      '--workers <count>',
      'number of threads or processes (default: one per core of this machine); of processes also 2:6: they may come and go in the run',
      parseCounts,
    ),
    option('--partition <how>', 'split by rows, columns or grid (default auto: rows)'),
  );
  group(
    train,
    'Strategies (who waits for whom; those other than map-reduce take mini-batches):',
    option('--strategy <name>', 'map-reduce, parameter-server, local-sgd, hogwild or gossip (default map-reduce)'),
    option('--staleness <clocks>', 'parameter-server: how far a worker may be ahead; 0: all wait (default: nobody waits)', parseCount),
    option('--late <rule>', 'parameter-server: late gradients: apply, damp, refuse or compensate (default apply)'),
    option('--servers <count>', 'parameter-server: each with a part of the weights (default 1)', parseCount),
    option('--replay <run>', 'parameter-server: do again what that run did, to the bit'),
    option('--sync-every <steps>', 'local-sgd, gossip: steps between two averages (default by the data; gossip 1)', parseCount),
    option('--clients <count>', 'local-sgd: virtual clients, hosted by the workers; they decide the bits (default 4)', parseCount),
    option('--participation <share>', 'local-sgd: clients in each round, such as 0.5 (default 1)', parseNumber),
    option('--server-momentum <number>', 'local-sgd: share of the last change that is kept (default 0)', parseNumber),
    option('--topology <shape>', 'gossip: ring, torus or complete (default ring)'),
    option('--partner <rule>', 'gossip: rotating or random (default rotating)'),
  );
  group(
    train,
    'Processes (--engine processes or ray: they share no memory, and a lost one is replaced):',
    option(
      '--communicate <how>',
      'peer-to-peer (in groups above 32 workers), client-server or ring, whose bits depend on --workers (default peer-to-peer)',
    ),
    option('--reducers <count>', 'client-server: workers that add for all (default 1)', parseCount),
    option('--backup <count>', 'client-server: processes that compute the slowest workers’ parts, too; who is first wins', parseCount),
    option('--max-restarts <count>', 'how often each worker is replaced before the run ends (default 3)', parseCount),
    option('--worker-timeout <time>', 'replace a worker that shows no sign of life for so long (default 10s)', parseDuration),
    option('--link-delay <time>', 'give connections between workers a delay, to study it: 2ms'),
    option('--link-rate <rate>', 'give each worker’s connection a rate, to study it: 100Mbit'),
    option('--compress <how>', 'send gradients as f32, or their largest coordinates: top-k=1% (not the same bits)'),
    list('--kill <rank@step>', 'let a worker crash, to see what happens: 1@5, or in a phase: 1@5:all-gather (may be repeated)'),
    list('--pause <rank@step=time>', 'let a worker stand still: 1@5=2s (may be repeated)'),
    list('--slow <rank=times>', 'let a worker compute slowly: 1=3x (may be repeated)'),
  );
  group(
    train,
    'Ray (--engine ray: on a cluster, or the local one of paragrad cluster start ray):',
    option('--ray-address <url>', 'of the cluster’s dashboard: http://HOST:8265 (default: the local cluster)'),
    option('--ray-token-file <file>', 'with the cluster’s token (default: RAY_AUTH_TOKEN, or as Ray’s own tools find it)'),
    option('--ray-data <auto|send|shared>', 'send the data, or all nodes see their folder (default auto: sent, but to a local cluster)'),
    option('--node <system|ship>', 'the Node.js of the cluster, or this machine’s own, sent along (default system)'),
  );
  group(
    train,
    'Machines (--engine processes, with workers on other machines; docs/engines/processes.md):',
    option('--bind <host:port>', 'wait here for machines that join: paragrad worker --join HOST:PORT'),
    list('--hosts <host:port,…>', 'use machines that listen: paragrad worker --listen (may be repeated)'),
    KEY_FILE(),
    option('--join-timeout <time>', 'how long to wait for a machine, at the beginning and when one was lost (default 5m)', parseDuration),
  );
  group(
    train,
    'Numbers (these decide the bits):',
    DTYPE(),
    ...LAYOUT(),
    option('--kernels <wasm|reference>', 'reference: slow, in plain JavaScript').hideHelp(),
  );
  group(
    train,
    'Output:',
    option('--out <folder>', 'where model and run are saved (default runs/<time>-<target>)'),
    option('--force', 'replace the folder of an earlier run, and the file of --report, where they exist'),
    option('--report <file>', 'write a page (HTML) with charts of the run and its result'),
    option('--dry-run', 'show what would run, with all defaults, and end'),
    option('--config <file>', 'options from a JSON file, such as config.json of a run; those given here count more'),
    option('--explain', 'show who owns what, and each worker’s part of the first gradient'),
    JSON_OPTION(),
  );
  train.addHelpOption(HELP().helpGroup('Output:'));
  examples(
    train,
    'paragrad train houses.csv --target price',
    'paragrad train houses.csv --target price --drop id --category zip --out model',
    'paragrad train clicks.csv --target clicked --positive yes --workers 2 --time-limit 5m',
    'paragrad train houses.csv --target price --workers 2 --explain',
    'paragrad train houses.csv --target price --out reported --report houses.html',
    'paragrad train houses.csv --config options.json --dry-run',
    'paragrad train houses.csv --target price --max-passes 2 --out run',
    'paragrad train --resume run --max-passes 1000',
  );
  train.action((files: string[], _flags: TrainFlags, command: Command) =>
    handlers.train(files.length === 0 ? undefined : sourceOf(files), withConfig(command)),
  );
}
