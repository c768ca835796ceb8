import type { Command } from 'commander';
import type { AttachFlags, ClusterFlags, DoctorFlags, Handlers, KeyFlags, WorkerFlags } from '../flags.ts';
import { parseCount, parseDuration } from '../options.ts';
import { examples, group, HELP, JSON_OPTION, KEY_FILE, option } from './shared.ts';

// Commands about where runs happen: this machine, others, and clusters.

export function addWorker(program: Command, handlers: Handlers): void {
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

export function addKey(program: Command, handlers: Handlers): void {
  const key = program.command('key').summary('make a key, for runs on several machines');
  key.argument('<file>', 'new file to write it to, that only you can read');
  key.description('Makes a key: who has it may work for a run, and see its data. Copy the file to every machine that shall.');
  group(key, 'Output:', JSON_OPTION());
  key.addHelpOption(HELP().helpGroup('Output:'));
  examples(key, 'paragrad key run.key');
  key.action((file: string, flags: KeyFlags) => handlers.key(file, flags));
}

export function addCluster(program: Command, handlers: Handlers): void {
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

export function addAttach(program: Command, handlers: Handlers): void {
  const attach = program.command('attach').summary('come back to a run that was left on a cluster');
  attach.argument('<job>', 'its name, as train told it');
  attach.description('Follows a run that goes on as a job of a cluster, or has ended there, and writes its model where train would have.');
  group(attach, 'Output:', JSON_OPTION());
  attach.addHelpOption(HELP().helpGroup('Output:'));
  examples(attach, 'paragrad attach paragrad-0123456789ab');
  attach.action((job: string, flags: AttachFlags) => handlers.attach(job, flags));
}

export function addDoctor(program: Command, handlers: Handlers): void {
  const doctor = program.command('doctor').summary('check this machine, and that it gives the bits of every other');
  doctor.description(
    'Looks at what this machine gives (cores, memory, SIMD, speed of reading), and trains tiny models whose bits are known. Exit code 1 when a check fails.',
  );
  group(doctor, 'Output:', JSON_OPTION());
  doctor.addHelpOption(HELP().helpGroup('Output:'));
  examples(doctor, 'paragrad doctor', 'paragrad doctor --json');
  doctor.action((flags: DoctorFlags) => handlers.doctor(flags));
}
