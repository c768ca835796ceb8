import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { build } from 'esbuild';

/** What pages show in ```console blocks: lines that begin with `$ ` are typed, the lines below them come back. */

const ROOT = resolve(import.meta.dirname, '../..');
const BLOCK = /^```console\n([\s\S]*?)^```/gm;
/** Stands for any number of lines that a page leaves out. */
const ELISION = '…\n';

interface Command {
  readonly text: string;
  readonly output: string;
}

function commandsOf(block: string): Command[] {
  const commands = block.split(/^\$ /m).slice(1);
  return commands.map((part) => {
    // A backslash at the end of a line: the command goes on.
    const [, text, output] = /^((?:[^\n]*\\\n)*[^\n]*)\n([\s\S]*)$/.exec(part) as unknown as [string, string, string];
    return { text, output };
  });
}

/** Times and versions are of the machine. */
export function withoutTimes(text: string): string {
  return text.replace(/^( {2}time {4}).*$/gm, '$1(not compared)');
}

/** Whether an output is what a page shows, where a line `…` stands for lines that it leaves out. */
export function shows(page: string, output: string): boolean {
  const lines = withoutTimes(page).match(/.*\n/g) ?? [];
  const pattern = lines.map((line) => (line === ELISION ? '(?:.*\\n)*?' : line.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&')));
  return new RegExp(`^${pattern.join('')}$`).test(withoutTimes(output));
}

/** The page with the outputs that its commands have; parts that are right stay as they are, with what they leave out. */
export function withOutputs(page: string, outputs: readonly string[]): string {
  let next = 0;
  return page.replace(BLOCK, (_, block: string) => {
    const commands = commandsOf(block).map(({ text, output }) => {
      const actual = outputs[next] ?? '';
      next += 1;
      return `$ ${text}\n${shows(output, actual) ? output : actual}`;
    });
    return `\`\`\`console\n${commands.join('')}\`\`\``;
  });
}

/** Runs a page's commands in one shell, in a folder that has the examples, with `paragrad` made from the sources. */
export async function outputsOf(page: string): Promise<string[]> {
  const commands = [...page.matchAll(BLOCK)].flatMap(([, block]) => commandsOf(block as string));
  // At the depth of dist/cli/main.js, so that it finds the worker and package.json.
  const program = join(ROOT, `dist/docs-test-${process.pid}/main.mjs`);
  const folder = mkdtempSync(join(tmpdir(), 'paragrad-docs-'));
  try {
    const options = { bundle: true, platform: 'node', format: 'esm', packages: 'external', absWorkingDir: ROOT } as const;
    await build({ entryPoints: ['src/cli/main.ts'], outfile: program, ...options });
    cpSync(join(ROOT, 'examples'), join(folder, 'examples'), { recursive: true });
    const mark = `---- ${process.pid} ----`;
    const script = ['exec 2>&1', `paragrad() { "${process.execPath}" "${program}" "$@"; }`];
    for (const { text } of commands) script.push(text, `echo '${mark}'`);
    // As if a user had typed it, not npm.
    const { npm_lifecycle_event: _, ...env } = process.env;
    const { stdout } = spawnSync('sh', { cwd: folder, env, input: `${script.join('\n')}\n`, encoding: 'utf8' });
    return stdout.split(`${mark}\n`).slice(0, commands.length);
  } finally {
    rmSync(resolve(program, '..'), { recursive: true, force: true });
    rmSync(folder, { recursive: true, force: true });
  }
}
