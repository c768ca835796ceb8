import { Command, Option } from 'commander';
import type { TableSource } from '../data/source-files.ts';
import { withConfig } from './config.ts';
import type {
  AttachFlags,
  ClusterFlags,
  DoctorFlags,
  EvaluateFlags,
  GenerateFlags,
  Handlers,
  InspectFlags,
  KeyFlags,
  PredictFlags,
  PrepareFlags,
  TrainFlags,
  WorkerFlags,
} from './flags.ts';
import { collect, parseBytes, parseCount, parseDuration, parseNumber, parseRate } from './options.ts';

type Parse = (flag: string, text: string) => number | string;

function option(flags: string, description: string, parse?: Parse): Option {
  const made = new Option(flags, description);
  return parse === undefined ? made : made.argParser((text) => parse(made.long ?? flags, text));
}

const list = (flags: string, description: string): Option => new Option(flags, description).argParser(collect);

/** One table: several files are read as if they were one. */
const FILES = 'CSV, JSON lines (both also .gz) or Parquet; several files or a pattern make one table; - is standard input';
const sourceOf = (files: readonly string[]): TableSource => (files.length === 1 ? (files[0] as string) : files);

/** Adds options under a heading of the help. */
function group(command: Command, heading: string, ...options: Option[]): void {
  for (const each of options) command.addOption(each.helpGroup(heading));
}

/** The examples at the end of a command's help; a test runs each of them. */
function examples(command: Command, ...lines: string[]): void {
  command.addHelpText('after', `\nExamples:\n${lines.map((line) => `  ${line}`).join('\n')}`);
}

const COLUMNS = (): Option[] => [
  list('--category <column>', 'read a column as categories (may be repeated)'),
  list('--number <column>', 'read a column as numbers (may be repeated)'),
  list('--drop <column>', 'leave a column out (may be repeated)'),
  option('--weight <column>', 'how much each row counts: numbers of at least 0'),
  option('--offset <column>', 'what is added to each row’s prediction before the model’s own part, as a known effect'),
  option('--id <column>', 'names the rows: no feature, and repeated in predictions'),
  option('--bad-rows <error|skip|impute>', 'what to do with a wrong value: end, skip its row, or count it as missing (default error)'),
  option('--max-categories <count>', 'most categories of a column, rarer ones share one (default 256)', parseCount),
];
const SPLIT = (): Option[] => [
  option('--validation-fraction <number>', 'part of the rows that is kept from training, to test the model (default 0.2)', parseNumber),
  option('--split-by <column>', 'keep all rows with the same value on one side of the split'),
  option('--validation-after <column=value>', 'test on the rows above this number or date, train on the others'),
  option('--validation-data <file>', 'test on the rows of another file, train on all of these'),
  option('--seed <count>', 'decides the split and the order of rows (default 0)', parseCount),
];
const SHUFFLE = (): Option =>
  option('--shuffle <windows|none>', 'mix rows inside each chunk, so that a sorted file does no harm (default windows)');
const LAYOUT = (): Option[] => [
  option('--chunk-rows <count>', 'rows that are summed as a unit, a multiple of 16 (default: 4 MiB)', parseCount),
  option('--block-columns <count>', 'columns that are multiplied as a unit (default: an eighth)', parseCount),
];
const JSON_OPTION = (): Option => option('--json', 'print one JSON object, for programs');
const DTYPE = (): Option => option('--dtype <f32|f64>', 'storage of the encoded features (default f32)');
const HELP = (): Option => new Option('-h, --help', 'show this help');
const POSITIVE = (): Option => option('--positive <label>', 'class whose probability is predicted (default: the later in byte order)');
const MODEL = (): Option =>
  option(
    '--model <auto|linear|logistic|softmax>',
    'auto: logistic for a target of two classes, softmax for text with more, else linear (default auto)',
  );
const FORMAT = (): Option => option('--format <csv|jsonl|parquet>', 'format of what is written (default: by the file’s ending, else csv)');
const BAD_VALUES = (): Option =>
  option('--bad-rows <error|impute>', 'what to do with a wrong value: end, or count it as missing (default error)');
const THRESHOLD = (): Option =>
  option('--threshold <number>', 'probability above which a row is called positive (default 0.5)', parseNumber);
const LOG_TARGET = (): Option => option('--log-target', 'train on the logarithm of the target; predictions are in its own units');
const KEY_FILE = (): Option => option('--key-file <file>', 'with the key of the run, from paragrad key (default: PARAGRAD_KEY)');
const STANDARDIZE = (): Option => option('--no-standardize', 'leave numbers in their own units: neither centred nor scaled');

function addTrain(program: Command, handlers: Handlers): void {
  const train = program.command('train').argument('[file...]', `${FILES}; or a dataset folder`).summary('train a model from a table');
  train.description('Trains a linear or logistic model from a table, and saves it in a folder.');
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
      'penalty on large weights; auto: of 20 values the best on the validation rows (default 1 / number of training rows)',
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
    option('--epochs <count>', 'exactly so many times through the rows (default: until --tolerance is reached)', parseCount),
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
    'Parallel (the result has the same bits whatever is chosen):',
    option('--engine <name>', 'auto, inline, threads, processes or ray (default auto: inline or threads, by the size of the data)'),
    option('--workers <count>', 'number of threads or processes (default: one per core of this machine)', parseCount),
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
    option('--communicate <how>', 'peer-to-peer, client-server or ring, whose bits depend on --workers (default peer-to-peer)'),
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
    option('--force', 'replace the folder where it exists'),
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

function addPrepare(program: Command, handlers: Handlers): void {
  const prepare = program.command('prepare').summary('encode a table into a dataset folder, to train on it again and again');
  prepare.argument('<file...>', FILES);
  prepare.description(
    'Encodes a table once, in little memory, into a folder that train reads at the speed of the disk: the same bits as training on the table.',
  );
  group(prepare, 'Data:', option('--target <column>', 'the column to predict (needed)'), ...COLUMNS(), POSITIVE(), ...SPLIT(), SHUFFLE());
  group(prepare, 'Encoding:', MODEL(), STANDARDIZE(), LOG_TARGET());
  group(prepare, 'Numbers (these decide the bits):', DTYPE(), ...LAYOUT());
  group(
    prepare,
    'Output:',
    option('--out <folder>', 'where the dataset is saved (needed)'),
    option('--force', 'replace the folder where it exists'),
    option('--memory <size>', 'stay below this much memory, such as 1GiB (default: what there is)', parseBytes),
    option('--workers <count>', 'threads that read, the result is the same (default: one per core)', parseCount),
    JSON_OPTION(),
  );
  prepare.addHelpOption(HELP().helpGroup('Output:'));
  examples(
    prepare,
    'paragrad prepare houses.csv --target price --out dataset',
    'paragrad prepare clicks.csv --target clicked --dtype f64 --memory 1GiB --out clicks-dataset',
    'paragrad train dataset --out dataset-model',
  );
  prepare.action((files: string[], flags: PrepareFlags) => handlers.prepare(sourceOf(files), flags));
}

function addPredict(program: Command, handlers: Handlers): void {
  const predict = program.command('predict').summary('predict the rows of a table with a trained model');
  predict
    .argument('<model>', 'folder that train has saved')
    .argument('<file...>', 'files of the same kinds, with the columns that the model was trained on');
  predict.description(
    'Predicts every row of a table: a number; the probability of the positive class and the likelier label; or, of several classes, the likeliest label and the probability of each.',
  );
  group(predict, 'Data:', BAD_VALUES());
  group(predict, 'Classes:', THRESHOLD());
  group(
    predict,
    'Output:',
    option('--out <file>', 'write a file: .csv, .jsonl or .parquet (default: to the terminal)'),
    FORMAT(),
    option('--force', 'replace the file where it exists'),
    JSON_OPTION(),
  );
  predict.addHelpOption(HELP().helpGroup('Output:'));
  examples(
    predict,
    'paragrad predict model new.csv',
    'paragrad predict model new.csv --out predictions.csv',
    'paragrad predict model new.csv --out predictions.parquet',
  );
  predict.action((model: string, files: string[], flags: PredictFlags) => handlers.predict(model, sourceOf(files), flags));
}

function addEvaluate(program: Command, handlers: Handlers): void {
  const evaluate = program.command('evaluate').summary('measure a trained model on a table that has the target');
  evaluate
    .argument('<model>', 'folder that train has saved')
    .argument('<file...>', 'files of the same kinds, with the target and the columns that the model was trained on');
  evaluate.description(
    'Compares predictions with the target: errors of a number; of two classes log loss, AUC, the confusion matrix and what other thresholds would give; of several log loss, the confusion matrix and each class by itself.',
  );
  group(evaluate, 'Data:', BAD_VALUES());
  group(evaluate, 'Classes:', THRESHOLD());
  group(evaluate, 'Output:', JSON_OPTION());
  evaluate.addHelpOption(HELP().helpGroup('Output:'));
  examples(evaluate, 'paragrad evaluate model test.csv', 'paragrad evaluate model test.csv --json');
  evaluate.action((model: string, files: string[], flags: EvaluateFlags) => handlers.evaluate(model, sourceOf(files), flags));
}

function addInspect(program: Command, handlers: Handlers): void {
  const inspect = program.command('inspect').summary('show what is in a table, a dataset folder or a trained model');
  inspect.argument('<path...>', `${FILES}; or the folder of a dataset or a model`);
  inspect.description('Shows the columns of a table and their statistics, or the summary of a dataset or a trained model.');
  group(inspect, 'Data:', option('--target <column>', 'the column to predict'), ...COLUMNS());
  group(
    inspect,
    'Encoding, as train would do it with the same options:',
    option('--encoded <file>', 'write the encoded rows as Parquet (needs --target)'),
    MODEL(),
    POSITIVE(),
    STANDARDIZE(),
    LOG_TARGET(),
    option('--dtype <f32|f64>', 'precision of the encoded features (default f64)'),
    ...SPLIT(),
  );
  group(
    inspect,
    'Models:',
    option('--coefficients <file>', 'write all coefficients, in your units and standardised (.csv, .jsonl or .parquet)'),
    option('--report <file>', 'write a page (HTML) with charts of the run and its result'),
  );
  group(inspect, 'Datasets:', option('--verify', 'read all of a dataset folder and check every checksum'));
  group(inspect, 'Output:', option('--force', 'replace the file where it exists'), JSON_OPTION());
  inspect.addHelpOption(HELP().helpGroup('Output:'));
  examples(
    inspect,
    'paragrad inspect houses.csv',
    'paragrad inspect houses.csv --target price --encoded encoded.parquet',
    'paragrad inspect model',
    'paragrad inspect model --coefficients coefficients.csv',
    'paragrad inspect model --report report.html',
    'paragrad inspect dataset --verify',
  );
  inspect.action((paths: string[], flags: InspectFlags) => handlers.inspect(sourceOf(paths), flags));
}

function addGenerate(program: Command, handlers: Handlers): void {
  const generate = program.command('generate').summary('make a table of random numbers with a known model');
  generate.description('Makes a table of random numbers, x1, x2, … and y, with a known model: the same bytes on every machine.');
  group(
    generate,
    'Table:',
    option('--rows <count>', 'number of rows (needed)', parseCount),
    option('--columns <count>', 'number of features (needed)', parseCount),
    option('--model <linear|logistic>', 'y is a number, or 0 and 1 (default linear)'),
    option('--condition <number>', 'condition number of the features: 1 is easy, 1e6 hard (default 1)', parseNumber),
    option('--noise <number>', 'in y, beside a signal of standard deviation 1 (default 0.5)', parseNumber),
    option('--seed <count>', 'another seed, another table (default 0)', parseCount),
  );
  group(
    generate,
    'Output:',
    option('--out <path>', 'file to write: .csv, .jsonl or .parquet; or a folder, for --format dataset (needed)'),
    option('--format <csv|jsonl|parquet|dataset>', 'format of what is written (default: by the file’s ending, else csv)'),
    option('--force', 'replace the file where it exists'),
    JSON_OPTION(),
  );
  generate.addHelpOption(HELP().helpGroup('Output:'));
  examples(
    generate,
    'paragrad generate --rows 10000 --columns 20 --out table.parquet',
    'paragrad generate --rows 1e4 --columns 5 --model logistic --condition 100 --out classes.csv',
    'paragrad generate --rows 10000 --columns 20 --format dataset --out table',
  );
  generate.action((flags: GenerateFlags) => handlers.generate(flags));
}

function addAttach(program: Command, handlers: Handlers): void {
  const attach = program.command('attach').summary('come back to a run that was left on a cluster');
  attach.argument('<job>', 'its name, as train told it');
  attach.description('Follows a run that goes on as a job of a cluster, or has ended there, and writes its model where train would have.');
  group(attach, 'Output:', JSON_OPTION());
  attach.addHelpOption(HELP().helpGroup('Output:'));
  examples(attach, 'paragrad attach paragrad-0123456789ab');
  attach.action((job: string, flags: AttachFlags) => handlers.attach(job, flags));
}

function addCluster(program: Command, handlers: Handlers): void {
  const cluster = program.command('cluster').summary('install, start, look at or stop a local cluster, to try and learn');
  cluster.argument('<install|start|status|stop>', 'what to do').argument('<ray>', 'which cluster');
  cluster.description(
    'A real cluster on this machine alone: several nodes, on loopback, with a token. It is kept in a cache folder (PARAGRAD_CACHE, else XDG_CACHE_HOME), and needs python3 with venv. Status has exit code 1 when it does not run.',
  );
  group(
    cluster,
    'Start:',
    option('--nodes <count>', 'how many nodes, each a set of processes (default 1)', parseCount),
    option('--port <count>', 'of the address that jobs are sent to (default 8265, or a free one)', parseCount),
  );
  group(cluster, 'Output:', JSON_OPTION());
  cluster.addHelpOption(HELP().helpGroup('Output:'));
  examples(
    cluster,
    'paragrad cluster install ray',
    'paragrad cluster start ray --nodes 3',
    'paragrad cluster status ray',
    'paragrad cluster stop ray',
  );
  cluster.action((action: string, name: string, flags: ClusterFlags) => handlers.cluster(action, name, flags));
}

function addWorker(program: Command, handlers: Handlers): void {
  const worker = program.command('worker').summary('let this machine work for a run on another one');
  worker.description(
    'Joins the run of train --bind, or waits for runs of train --hosts. Both need the key of the run; all between machines goes by TLS with it. Ctrl-C ends it, and the run goes on with another worker, where there is one.',
  );
  group(
    worker,
    'Work:',
    option('--join <host:port>', 'work for the run that waits there (train --bind), until it is over'),
    option('--listen [host:port]', 'wait for runs (train --hosts), one after the other (default port 7461 of all interfaces)'),
    KEY_FILE(),
    option('--workers <count>', 'how many work here at a time, each on one core (default 1)', parseCount),
    option(
      '--advertise <host[:port]>',
      'where other machines find this one’s workers (default: as the coordinator sees it, any free port)',
    ),
    option('--wait <time>', 'with --join: how long to try while nobody is there yet (default 5m)', parseDuration),
  );
  worker.addHelpOption(HELP().helpGroup('Work:'));
  worker.action((flags: WorkerFlags) => handlers.worker(flags));
}

function addKey(program: Command, handlers: Handlers): void {
  const key = program.command('key').summary('make a key, for runs on several machines');
  key.argument('<file>', 'new file to write it to, that only you can read');
  key.description('Makes a key: who has it may work for a run, and see its data. Copy the file to every machine that shall.');
  group(key, 'Output:', JSON_OPTION());
  key.addHelpOption(HELP().helpGroup('Output:'));
  examples(key, 'paragrad key run.key');
  key.action((file: string, flags: KeyFlags) => handlers.key(file, flags));
}

function addDoctor(program: Command, handlers: Handlers): void {
  const doctor = program.command('doctor').summary('check this machine, and that it gives the bits of every other');
  doctor.description(
    'Looks at what this machine gives (cores, memory, SIMD, speed of reading), and trains tiny models whose bits are known. Exit code 1 when a check fails.',
  );
  group(doctor, 'Output:', JSON_OPTION());
  doctor.addHelpOption(HELP().helpGroup('Output:'));
  examples(doctor, 'paragrad doctor', 'paragrad doctor --json');
  doctor.action((flags: DoctorFlags) => handlers.doctor(flags));
}

/** `help` and `help train`; a misspelt command gets the same suggestion as anywhere else. */
function addHelp(program: Command): void {
  const help = program.command('help').argument('[command]').summary('show the help of a command').addHelpOption(HELP().hideHelp());
  help.action(async (name: string | undefined) => {
    const found = name === undefined ? program : program.commands.find((command) => command.name() === name);
    if (found === undefined) await program.parseAsync([name as string], { from: 'user' });
    else found.help();
  });
}

/** The command line: every command, option and text of the help. Errors are thrown, nothing ends the process. */
export function createProgram(version: string, handlers: Handlers): Command {
  const program = new Command('paragrad');
  program
    .description('Parallel gradient descent: the same bits from every number of workers, split and engine.')
    .version(version, '-v, --version', 'show the version')
    .addHelpOption(HELP())
    .helpCommand(false)
    .exitOverride();
  addTrain(program, handlers);
  addPrepare(program, handlers);
  addPredict(program, handlers);
  addEvaluate(program, handlers);
  addInspect(program, handlers);
  addGenerate(program, handlers);
  addAttach(program, handlers);
  addCluster(program, handlers);
  addWorker(program, handlers);
  addKey(program, handlers);
  addDoctor(program, handlers);
  addHelp(program);
  examples(program, 'paragrad train houses.csv --target price --out model', 'paragrad predict model new.csv', 'paragrad train --help');
  return program;
}
