import type { Command } from 'commander';
import { failureOf } from './failures.ts';
import { failureObject, failureText } from './format/error.ts';
import { json } from './format/json.ts';
import { createProgram } from './program/program.ts';
import { type Terminal, textWidth } from './terminal.ts';

/**
 * The command line as a function of its arguments (without the program's name) and a terminal.
 *
 * @returns the exit code: 0 done, 1 failed, 2 wrong usage, 130 interrupted
 */
export async function runCli(argv: readonly string[], terminal: Terminal): Promise<number> {
  let exitCode = 0;
  const program = createProgram(terminal.version, {
    train: async (file, flags) => {
      exitCode =
        flags.dryRun === true
          ? await (await import('./commands/dry-run.ts')).dryRunCommand(file, flags, terminal)
          : await (await import('./commands/train.ts')).trainCommand(file, flags, terminal);
    },
    prepare: async (file, flags) => {
      exitCode = await (await import('./commands/prepare.ts')).prepareCommand(file, flags, terminal);
    },
    predict: async (model, file, flags) => {
      exitCode = await (await import('./commands/predict.ts')).predictCommand(model, file, flags, terminal);
    },
    evaluate: async (model, file, flags) => {
      exitCode = await (await import('./commands/evaluate.ts')).evaluateCommand(model, file, flags, terminal);
    },
    inspect: async (path, flags) => {
      exitCode = await (await import('./commands/inspect.ts')).inspectCommand(path, flags, terminal);
    },
    generate: async (flags) => {
      exitCode = await (await import('./commands/generate.ts')).generateCommand(flags, terminal);
    },
    attach: async (job, flags) => {
      exitCode = await (await import('./commands/attach.ts')).attachCommand(job, flags, terminal);
    },
    cluster: async (action, name, flags) => {
      exitCode = await (await import('./commands/cluster.ts')).clusterCommand(action, name, flags, terminal);
    },
    worker: async (flags) => {
      exitCode = await (await import('./commands/worker.ts')).workerCommand(flags, terminal);
    },
    key: async (file, flags) => {
      exitCode = await (await import('./commands/key.ts')).keyCommand(file, flags, terminal);
    },
    doctor: async (flags) => {
      exitCode = await (await import('./commands/doctor.ts')).doctorCommand(flags, terminal);
    },
  });
  const shown: string[] = [];
  dress(program, terminal, shown);
  try {
    await program.parseAsync(argv.length === 0 ? ['--help'] : [...argv], { from: 'user' });
  } catch (error) {
    if (shown.length > 0) await terminal.out.write(shown.join(''));
    else exitCode = await fail(error, argv, program, terminal);
  }
  return exitCode;
}

/** Help and version go where results go, in the terminal's looks; commander's own error texts go nowhere. */
function dress(program: Command, { out }: Terminal, shown: string[]): void {
  for (const command of [program, ...program.commands])
    command
      .configureOutput({
        writeOut: (text) => void shown.push(text),
        writeErr: () => undefined,
        getOutHelpWidth: () => textWidth(out),
        getOutHasColors: () => true,
      })
      .configureHelp({ styleTitle: (text) => out.style.bold(text) });
}

async function fail(error: unknown, argv: readonly string[], program: Command, terminal: Terminal): Promise<number> {
  const { out, err, env, version, command } = terminal;
  const known = failureOf(error, { debug: (env.PARAGRAD_DEBUG ?? '') !== '', version });
  const name = program.commands.some((each) => each.name() === argv[0] && each.name() !== 'help') ? ` ${argv[0]}` : '';
  const failure = known.exitCode === 2 ? { ...known, hint: `${command}${name} --help shows what can be given` } : known;
  await err.write(failureText(failure, err.isTerminal ? textWidth(err) : undefined, err.style));
  if (argv.includes('--json')) await out.write(json(failureObject(failure)));
  return failure.exitCode;
}
