// The direction of imports (ARCHITECTURE.md). Every rule has a name and a sentence that says why; test/checks/layers.test.ts
// proves that each of them fires.

/** From left to right: a folder (or file) imports only from its own layer and those left of it. */
const LAYERS = [
  ['errors'],
  ['math', 'random', 'crc32c', 'monitor'],
  ['partition'],
  ['data'],
  ['kernels'],
  ['models'],
  ['update'],
  ['communicate'],
  ['strategies'],
  ['engines'],
  ['run'],
  ['cli', 'dashboard'],
];

/**
 * What the layers between data and engines may see of each other's folders: contracts, registries, and code that all
 * implementations share. A new implementation is not listed here, so nobody but engines/, run/ and cli/ can name it.
 */
const SHARED_FILES = {
  data: ['store', 'scratch', 'table', 'arrays', 'array-tasks', 'split'],
  kernels: ['kernels', 'losses'],
  models: ['model', 'metrics'],
  update: [
    'pass',
    'optimizer',
    'objective',
    'coordinates',
    'sampling',
    'vectors',
    'registry',
    'index',
    'stop',
    'metric',
    'metric-keeper',
    'batch/rules',
    'batch/precondition',
    'batch/schedule',
  ],
  communicate: ['collective', 'backups', 'channel', 'failures', 'inbox'],
};

/** Modules of Node.js, and the only folders that may use them. Folders that are in no line are free of Node.js. */
const NODE_MODULES = [
  ['threads', 'worker_threads', ['engines'], 'Threads are a way to run, and every way to run is an engine.'],
  ['processes', 'child_process|cluster', ['engines'], 'Processes are a way to run, and every way to run is an engine.'],
  [
    'network',
    'net|tls|http|https|http2|dgram|dns',
    ['communicate', 'dashboard', 'data/source', 'engines/ray', 'engines/cluster'],
    'Bytes between ranks move through a channel of communicate/, where limits and deadlines are kept; data/source/ reads what addresses hold; a cluster’s own service is spoken to by its engine.',
  ],
  [
    'files',
    'fs|fs/promises|zlib|stream|stream/promises|stream/consumers',
    ['data', 'engines', 'run', 'cli'],
    'data/ reads the user’s files, run/ and cli/ write results, engines/ find the worker’s bundle: the numerical core never touches a disk.',
  ],
  [
    'names',
    'path|url|crypto|module|util',
    ['data', 'engines', 'run', 'cli'],
    'Paths, addresses and digests belong to what meets the outside world.',
  ],
  [
    'machine',
    'os',
    ['data', 'communicate', 'engines', 'run', 'cli'],
    'What the machine has (cores, memory) may change speed, never a result: the numerical core must not know it.',
  ],
  ['waits', 'timers/promises', ['data/source', 'engines'], 'Only what waits for another program looks at the clock.'],
  ['terminal', 'readline|readline/promises|tty|process', ['cli'], 'Only the command line talks to a terminal.'],
];

/** npm packages, and the only folders that may use them. */
const PACKAGES = [
  ['@duckdb', ['data'], 'DuckDB is 60 MB and native: only data/ reads tables, and imports it lazily.'],
  ['commander', ['cli'], 'Only the command line has arguments to parse.'],
  ['ws', ['engines/ray'], 'Ray tells of a job’s log by a WebSocket; Node.js 20 has none.'],
];

const layer = (names) => `^src/(${names.join('|')})(/|\\.ts$)`;
const folders = (names) => `^src/(${names.join('|')})/`;
const everything = LAYERS.flat();

const direction = LAYERS.slice(0, -1).map((names, i) => ({
  name: `direction-${names[0]}`,
  comment: `${names.join(', ')} may import only ${LAYERS.slice(0, i).flat().join(', ') || 'nothing'}: what a folder stands on must be understandable, testable and replaceable without it.`,
  severity: 'error',
  from: { path: layer(names) },
  to: { path: layer(LAYERS.slice(i + 1).flat()) },
}));

const shared = Object.entries(SHARED_FILES).map(([folder, files]) => ({
  name: `contracts-of-${folder}`,
  comment: `Outside of ${folder}/ only engines/, run/ and cli/ name concrete implementations; all others see ${files.join(', ')}. So a new one is a file and a line in a registry.`,
  severity: 'error',
  from: { path: folders(everything), pathNot: folders([folder, 'engines', 'run', 'cli']) },
  to: { path: `^src/${folder}/`, pathNot: `^src/${folder}/(${files.join('|')})\\.ts$` },
}));

const nodeModules = NODE_MODULES.map(([name, modules, where, why]) => ({
  name: `node-${name}`,
  comment: `${why} (Only in ${where.join(', ')}.)`,
  severity: 'error',
  from: { path: '^src/', pathNot: folders(where) },
  to: { dependencyTypes: ['core'], path: `^(node:)?(${modules})$` },
}));

const packages = PACKAGES.map(([name, where, why]) => ({
  name: `package-${name.replace('@', '')}`,
  comment: `${why} (Only in ${where.join(', ')}.)`,
  severity: 'error',
  from: { path: '^src/', pathNot: folders(where) },
  to: { path: `(^|/)node_modules/${name}(/|$)|^${name}(/|$)` },
}));

const unlisted = NODE_MODULES.map(([, modules]) => modules).join('|');

export default {
  forbidden: [
    ...direction,
    ...shared,
    ...nodeModules,
    ...packages,
    {
      name: 'pure',
      comment:
        'errors, math, random, crc32c, partition, kernels, models, update and strategies are functions of their arguments: nothing of Node.js may reach a sum. (Clocks and timers are caught by the linter.)',
      severity: 'error',
      from: { path: layer(['errors', 'math', 'random', 'crc32c', 'partition', 'kernels', 'models', 'update', 'strategies']) },
      to: { dependencyTypes: ['core'] },
    },
    {
      name: 'node-others',
      comment: 'Every other module of Node.js needs a line in .dependency-cruiser.mjs that says which folder exists for it.',
      severity: 'error',
      from: { path: '^src/' },
      to: { dependencyTypes: ['core'], pathNot: `^(node:)?(${unlisted})$` },
    },
    {
      name: 'packages-others',
      comment:
        'Every dependency needs a line in .dependency-cruiser.mjs that says which folder exists for it; development tools never get one.',
      severity: 'error',
      from: { path: '^src/' },
      to: { path: '(^|/)node_modules/', pathNot: `(^|/)node_modules/(${PACKAGES.map(([name]) => name).join('|')}|@types/node)(/|$)` },
    },
    {
      name: 'bytes-not-models',
      comment: 'communicate/ knows bytes and tree nodes, not models: the same all-reduce serves whatever is added.',
      severity: 'error',
      from: { path: '^src/communicate/' },
      to: { path: folders(['data', 'kernels', 'models', 'update']) },
    },
    {
      name: 'worker-without-packages',
      comment:
        'The worker, and the coordinator on a cluster, are one file each without dependencies: they are started where no node_modules folder is.',
      severity: 'error',
      from: { path: '^src/engines/(worker|ray/coordinator)/' },
      to: { path: '(^|/)node_modules/', pathNot: '(^|/)node_modules/@types/node/', reachable: true },
    },
    {
      name: 'no-root-index',
      comment: 'index.ts is for users. Inside, an import of it would hide who depends on whom.',
      severity: 'error',
      from: { path: '^src/' },
      to: { path: '^src/index\\.ts$' },
    },
    {
      name: 'index-only-from-run',
      comment: 'The public interface is what run/ does, the errors, and the types that both speak of.',
      severity: 'error',
      from: { path: '^src/index\\.ts$' },
      to: { path: '^src/', pathNot: '^src/(run/|errors\\.ts$)', dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'no-way-out',
      comment: 'The library knows nothing of its tests, benchmarks, examples and scripts.',
      severity: 'error',
      from: { path: '^src/' },
      to: { path: '^(test|bench|examples|scripts)/' },
    },
    {
      name: 'no-circles',
      comment: 'Modules that need each other at run time are one module; a contract and its registry may name each other’s types.',
      severity: 'error',
      from: { path: '^src/' },
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    },
    {
      name: 'resolvable',
      comment: 'An import that leads nowhere fails only on the user’s machine.',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true },
    },
    {
      name: 'no-orphans',
      comment: 'A module that nothing imports and that imports nothing is a leftover.',
      severity: 'error',
      from: {
        orphan: true,
        path: '^src/',
        pathNot: '\\.d\\.ts$|^src/(index|math)\\.ts$|^src/cli/main\\.ts$|^src/engines/(worker|ray/coordinator)/main\\.ts$',
      },
      to: {},
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    parser: 'tsc',
    moduleSystems: ['es6', 'cjs'],
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'require', 'node', 'default', 'types'],
      extensions: ['.ts', '.mjs', '.js', '.json'],
    },
  },
};
