import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runCli } from '../../src/cli/cli.ts';
import { widthOf } from '../../src/cli/format/text.ts';
import { fakeTerminal } from './fake-terminal.ts';

const HOUSES = [
  'id,zip,area,price',
  ...Array.from({ length: 60 }, (_, i) => `h${i},${8000 + (i % 3)},${50 + i},${1000 * (50 + i) + (i % 7)}`),
];
const CLICKS = [
  'age,site,clicked',
  ...Array.from({ length: 80 }, (_, i) => `${20 + (i % 40)},${'ab'[i % 2]},${(i * 7) % 11 > 5 ? 'yes' : 'no'}`),
];

const COMMANDS = ['prepare', 'train', 'predict', 'evaluate', 'inspect', 'generate', 'doctor'];

const before = process.cwd();
let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'paragrad-cli-'));
  process.chdir(folder);
  writeFileSync('houses.csv', `${HOUSES.join('\n')}\n`);
  writeFileSync('new.csv', 'zip,area\n8001,60\n9999,70\n');
  writeFileSync('options.json', JSON.stringify({ target: 'price', drop: ['id'], 'max-passes': 50 }));
  writeFileSync('test.csv', `${HOUSES.slice(0, 40).join('\n')}\n`);
  writeFileSync('clicks.csv', `${CLICKS.join('\n')}\n`);
  mkdirSync('folder');
  writeFileSync('occupied', '');
});

afterAll(() => {
  process.chdir(before);
  rmSync(folder, { recursive: true });
});

async function run(...argv: string[]): Promise<{ code: number; out: string; err: string }> {
  const terminal = fakeTerminal();
  const code = await runCli(argv, terminal);
  return { code, ...terminal.texts };
}

/** The examples of a help text, as arguments. */
function examplesOf(help: string): string[][] {
  const [, examples = ''] = help.split('\nExamples:\n');
  return examples
    .trim()
    .split('\n')
    .map((line) => line.trim().split(' ').slice(1));
}

describe('help', () => {
  it.each([[], ['--help'], ['help']])('of the program: %j', async (...argv) => {
    const { code, out, err } = await run(...argv);
    expect({ code, err }).toEqual({ code: 0, err: '' });
    for (const command of COMMANDS) expect(out).toContain(`\n  ${command} [options]`);
  });

  it.each(COMMANDS)('of %s has groups, fits, and is the same by both ways', async (command) => {
    const { out } = await run(command, '--help');
    expect((await run('help', command)).out).toBe(out);
    expect(out).toContain('\nOutput:\n');
    expect(out).toContain('\nExamples:\n');
    for (const line of out.split('\n')) expect(widthOf(line)).toBeLessThanOrEqual(100);
  });

  it('hides what is for tests', async () => {
    expect((await run('train', '--help')).out).not.toContain('--kernels');
  });

  it('shows the version', async () => {
    expect(await run('--version')).toEqual({ code: 0, out: '1.2.3\n', err: '' });
  });

  it('has examples that work', async () => {
    const texts = await Promise.all(COMMANDS.map((command) => run(command, '--help')));
    const lines = [...texts, await run('--help')].flatMap(({ out }) => examplesOf(out));
    expect(lines.length).toBeGreaterThanOrEqual(COMMANDS.length * 2);
    for (const argv of lines) {
      if (argv[argv.indexOf('--out') + 1] === 'model') rmSync('model', { recursive: true, force: true });
      const { code, out, err } = await run(...argv);
      expect({ code, err: err.replace(/^note: .*\n/gm, '') }, argv.join(' ')).toEqual({ code: 0, err: '' });
      expect(out).not.toBe('');
    }
    expect(readFileSync('predictions.csv', 'utf8')).toMatch(/^row,prediction\n0,.+\n1,.+\n$/);
    expect(existsSync('encoded.parquet')).toBe(true);
  });
});

describe('wrong usage', () => {
  it.each([
    [['trian', 'x.csv'], /unknown command 'trian' \(did you mean train\?\) \[PARAGRAD_USAGE\]/],
    [['help', 'predit'], /unknown command 'predit' \(did you mean predict\?\)/],
    [['train', 'houses.csv', '--tagret', 'price'], /unknown option '--tagret' \(did you mean --target\?\) \[PARAGRAD_USAGE\]/],
    [['train', 'houses.csv'], /--target is missing.*\[PARAGRAD_USAGE\]/],
    [['train', '--target', 'price'], /name a table to train on.*\[PARAGRAD_USAGE\]/],
    [['train', 'houses.csv', '--resume', 'run'], /--resume goes on with a run as it was begun.*\[PARAGRAD_USAGE\]/],
    [['train', '--resume', 'run', '--l2', '3'], /leave out --l2 \[PARAGRAD_USAGE\]/],
    [['predict', 'model'], /missing required argument 'file'/],
    [['generate', 'a'], /too many arguments/],
    [['train', 'houses.csv', '--target'], /option '--target <column>' argument missing/],
    [['train', 'houses.csv', '--target', 'price', '--workers', '0'], /--workers must be .*, not 0 \[PARAGRAD_OPTION\]/],
    [['train', 'houses.csv', '--target', 'price', '--workers', 'two'], /--workers must be a whole number, not 'two' \[PARAGRAD_OPTION\]/],
    [['train', 'houses.csv', '--target', 'price', '--validation-fraction', '2'], /--validation-fraction must be .*\[PARAGRAD_OPTION\]/],
    [['train', 'houses.csv', '--target', 'price', '--dtype', 'f16'], /--dtype must be one of f32, f64, not 'f16' \[PARAGRAD_OPTION\]/],
    [['train', 'houses.csv', '--target', 'price', '--l2', '-1'], /--l2 must be .*\[PARAGRAD_OPTION\]/],
    [['worker', '--join', '127.0.0.1:1', '--listen'], /--join works for one run, .*: choose one \[PARAGRAD_OPTION\]/],
    [['train', 'houses.csv', '--target', 'price', '--time-limit', 'soon'], /--time-limit must be a time such as/],
    [['inspect', 'houses.csv', '--encoded', 'e.parquet'], /--encoded needs --target/],
    [['inspect', 'houses.csv', '--report', 'r.html'], /--report is for model folders/],
    [['inspect', 'houses.csv', '--coefficients', 'c.csv'], /--coefficients is for model folders/],
    [['generate', '--rows', '9', '--columns', '2'], /--out is missing/],
    [['generate', '--rows', '9', '--out', 'g.csv'], /--columns is missing/],
    [['generate', '--rows', '0', '--columns', '2', '--out', 'g.csv'], /--rows must be a whole number from 1 to/],
    [
      ['generate', '--rows', '9', '--columns', '1', '--condition', '2', '--out', 'g.csv'],
      /--condition must be 1 where there is one column/,
    ],
    [['generate', '--rows', '9', '--columns', '1', '--out', 'g.xlsx'], /--format says which format another name has/],
  ])('%j', async (argv, message) => {
    const { code, out, err } = await run(...argv);
    expect({ code, out }).toEqual({ code: 2, out: '' });
    expect(err).toMatch(/^error: .*\nparagrad.* --help shows what can be given\n$/);
    expect(err).toMatch(message);
  });
});

describe('failures', () => {
  it.each([
    [['train', 'hauses.csv', '--target', 'price'], /hauses\.csv does not exist; did you mean "houses\.csv"\? \[PARAGRAD_FILE\]/],
    [['train', 'folder', '--target', 'price'], /folder is a folder/],
    [['train', 'occupied', '--target', 'price'], /occupied is empty/],
    [['train', 'houses.csv', '--target', 'prise'], /no such column; did you mean "price"\? \[PARAGRAD_COLUMN\]/],
    [['train', 'houses.csv', '--target', 'price', '--out', 'folder'], /folder exists already.*\[PARAGRAD_OUT_EXISTS\]/],
    [['train', 'houses.csv', '--target', 'price', '--out', 'folder/../occupied', '--force'], /not replaced even with --force/],
    [['train', 'houses.csv', '--target', 'price', '--out', 'occupied/model'], /cannot be written.*\[PARAGRAD_OUT\]/],
    [['predict', 'folder', 'new.csv'], /folder is not a model folder/],
    [['predict', 'folder', 'new.csv', '--out', 'occupied'], /occupied exists already.*\[PARAGRAD_OUT_EXISTS\]/],
    [['inspect', 'houses.csv', '--target', 'price', '--encoded', 'occupied'], /occupied exists already.*\[PARAGRAD_OUT_EXISTS\]/],
    [['inspect', 'folder'], /folder is not a model folder/],
    [['inspect', 'nothing'], /nothing does not exist/],
    [['train', 'houses.csv', '--target', 'price', '--report', 'occupied'], /occupied exists already.*\[PARAGRAD_OUT_EXISTS\]/],
    [['inspect', 'folder', '--coefficients', 'occupied'], /occupied exists already.*\[PARAGRAD_OUT_EXISTS\]/],
  ])('%j', async (argv, message) => {
    const { code, out, err } = await run(...argv);
    expect({ code, out }).toEqual({ code: 1, out: '' });
    expect(err).toMatch(message);
    expect(err).toMatch(/^error: .*\n$/);
  });

  it('are objects with --json', async () => {
    for (const [argv, code, error] of [
      [['train', 'houses.csv', '--json', '--target', 'prise'], 1, 'PARAGRAD_COLUMN'],
      [['train', 'houses.csv', '--json', '--tagret', 'price'], 2, 'PARAGRAD_USAGE'],
    ] as const) {
      const { out, ...rest } = await run(...argv);
      expect(rest.code).toBe(code);
      expect(JSON.parse(out)).toMatchObject({ error: { code: error, message: expect.any(String) } });
    }
  });

  it('have a stack only when it is asked for', async () => {
    const terminal = fakeTerminal({ env: { PARAGRAD_DEBUG: '1' } });
    await runCli(['inspect', 'nothing'], terminal);
    expect(terminal.texts.err).toMatch(/\n {4}at /);
  });
});

describe.each(['inline', 'threads'])('Ctrl-C in a run %s', (engine) => {
  it('ends it at the next step, and keeps the result', async () => {
    const others = process.listeners('SIGINT');
    const terminal = fakeTerminal({ live: true });
    const write = terminal.err.write;
    let pressed = false;
    terminal.err.write = async (text) => {
      if (!pressed && text.includes('pass ')) {
        pressed = true;
        for (const listener of process.listeners('SIGINT')) if (!others.includes(listener)) listener('SIGINT');
      }
      await write(text);
    };
    const endless = ['--optimizer', 'gradient-descent', '--learning-rate', '1e-9', '--tolerance', '0', '--max-passes', '1e12'];
    const argv = ['train', 'houses.csv', '--target', 'price', '--json', '--out', `kept-${engine}`, '--engine', engine, ...endless];
    expect(await runCli(argv, terminal)).toBe(130);
    expect(JSON.parse(terminal.texts.out)).toMatchObject({ reason: 'aborted', converged: false, out: `kept-${engine}` });
    expect(terminal.texts.err).toContain('note: interrupted: ends at the next step');
    expect(existsSync(`kept-${engine}/model.json`)).toBe(true);
    expect(process.listeners('SIGINT')).toEqual(others);
  });
});

describe('results', () => {
  it('of train, for programs: one object, and a model that predict and inspect take', async () => {
    const trained = await run('train', 'houses.csv', '--target', 'price', '--json', '--out', 'm1', '--dtype', 'f64', '--seed', '3');
    const summary = JSON.parse(trained.out);
    expect(summary).toMatchObject({ model: 'linear', dtype: 'f64', seed: 3, out: 'm1', converged: true, passes: expect.any(Number) });
    expect(summary).toMatchObject({ schema: { rows: 60, target: 'price' }, validation: { rows: expect.any(Number) } });
    expect(trained.out.trimEnd()).not.toContain('\n');
    expect(JSON.parse((await run('inspect', 'm1', '--json')).out).weightsSha256).toBe(summary.weightsSha256);
    expect((await run('inspect', 'm1')).out).toContain('Largest coefficients');

    const predicted = JSON.parse((await run('predict', 'm1', 'new.csv', '--json')).out);
    expect(predicted).toMatchObject({ rows: 2, out: null, unseenValues: expect.any(Number) });
    const rows = (await run('predict', 'm1', 'new.csv')).out.trimEnd().split('\n');
    expect(rows).toEqual(['row,prediction', ...predicted.predictions.map((value: number, i: number) => `${i},${value}`)]);
  });

  it('of train, with the first step in arrays', async () => {
    const { out } = await run('train', 'houses.csv', '--target', 'price', '--json', '--explain', '--out', 'm2');
    const { firstStep, plan } = JSON.parse(out);
    expect(firstStep.sum.columns).toHaveLength(plan.columns);
    expect(firstStep.partials[0].columns).toHaveLength(plan.columns);
  });

  it('of predict with two classes', async () => {
    await run('train', 'clicks.csv', '--target', 'clicked', '--out', 'm3', '--positive', 'no');
    const { out } = await run('predict', 'm3', 'clicks.csv');
    expect(out).toMatch(/^row,probability,label\n0,0\.\d+,(yes|no)\n/);
    const object = JSON.parse((await run('predict', 'm3', 'clicks.csv', '--json')).out);
    expect(object.labels.map((label: string) => label === 'no')).toEqual(object.probabilities.map((p: number) => p > 0.5));
  });

  it('may replace what is there with --force', async () => {
    const argv = ['train', 'houses.csv', '--target', 'price', '--out', 'm4'];
    expect([(await run(...argv)).code, (await run(...argv)).code, (await run(...argv, '--force')).code]).toEqual([0, 1, 0]);
    writeFileSync('p.csv', 'mine');
    expect((await run('predict', 'm4', 'new.csv', '--out', 'p.csv')).code).toBe(1);
    expect(readFileSync('p.csv', 'utf8')).toBe('mine');
    expect((await run('predict', 'm4', 'new.csv', '--out', 'p.csv', '--force')).code).toBe(0);
    expect(readFileSync('p.csv', 'utf8')).toMatch(/^row,prediction\n/);
  });
});
