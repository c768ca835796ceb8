import { Command } from 'commander';
import { ParagradError } from '../../errors.ts';
import type { Handlers } from '../flags.ts';
import { addAttach, addCluster, addDoctor, addKey, addWorker } from './machines.ts';
import { addEvaluate, addPredict } from './models.ts';
import { examples, HELP } from './shared.ts';
import { addGenerate, addInspect, addPrepare } from './tables.ts';
import { addTrain } from './train.ts';

/** An option that takes a path. */
const PATH = /<(file|folder|model|run|path)>/u;

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
  program.hook('preAction', (_, command) => {
    for (const { flags, long } of command.options.filter((option) => command.getOptionValue(option.attributeName()) === ''))
      if (PATH.test(flags))
        throw new ParagradError('PARAGRAD_OPTION', `${long} must be a path, and is empty`, { place: { option: String(long) } });
  });
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
