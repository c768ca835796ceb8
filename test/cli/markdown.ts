import { readFileSync } from 'node:fs';
import type { Command, Option } from 'commander';
import { createProgram } from '../../src/cli/program/program.ts';

/** The page of the command line, made from the definitions of its commands. */
export function commandLinePage(): string {
  const nothing = async (): Promise<void> => undefined;
  const program = createProgram('', {
    train: nothing,
    prepare: nothing,
    predict: nothing,
    evaluate: nothing,
    inspect: nothing,
    generate: nothing,
    attach: nothing,
    cluster: nothing,
    worker: nothing,
    key: nothing,
    doctor: nothing,
  });
  const intro = readFileSync(new URL('./cli-intro.md', import.meta.url), 'utf8');
  const commands = program.commands.filter((command) => command.name() !== 'help');
  return `${[intro.trimEnd(), ...commands.map(sectionOf)].join('\n\n')}\n`;
}

function sectionOf(command: Command): string {
  const help = command.createHelp();
  const groups = new Map<string, Option[]>();
  for (const option of help.visibleOptions(command)) {
    const heading = option.helpGroupHeading ?? 'Options:';
    groups.set(heading, [...(groups.get(heading) ?? []), option]);
  }
  const usage = help.commandUsage(command);
  return [
    `## paragrad ${command.name()}`,
    command.description(),
    `\`\`\`\n${usage}\n\`\`\``,
    ...(command.registeredArguments.length === 0
      ? []
      : [
          help
            .visibleArguments(command)
            .map((argument) => `* \`${argument.name()}\`: ${argument.description}`)
            .join('\n'),
        ]),
    ...[...groups].map(([heading, options]) => `### ${heading.replace(/:$/, '')}\n\n${options.map(itemOf).join('\n')}`),
    `### Examples\n\n\`\`\`sh\n${examplesOf(command).join('\n')}\n\`\`\``,
  ].join('\n\n');
}

const itemOf = ({ flags, description }: Option): string => `* \`${flags}\`: ${description}`;

function examplesOf(command: Command): string[] {
  let text = '';
  command.configureOutput({ writeOut: (part) => (text += part) });
  command.outputHelp();
  return (text.split('\nExamples:\n')[1] ?? '').trim().split(/\n +/);
}
