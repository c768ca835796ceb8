import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runCli } from '../../src/cli/cli.ts';
import { fakeTerminal } from './fake-terminal.ts';

const before = process.cwd();
let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'paragrad-config-'));
  process.chdir(folder);
  const lines = Array.from({ length: 90 }, (_, i) => `h${i},${i % 3},${i % 7},${i * 3 + (i % 7)},${i % 2 === 0 ? 'yes' : 'no'}`);
  writeFileSync('rows.csv', `id,zip,a,y,sold\n${lines.join('\n')}\n`);
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

/** The options that a run with this file, and these arguments, would have. */
async function optionsWith(config: unknown, ...argv: string[]): Promise<Record<string, unknown>> {
  writeFileSync('c.json', typeof config === 'string' ? config : JSON.stringify(config));
  const { code, out, err } = await run('train', 'rows.csv', '--config', 'c.json', '--dry-run', '--json', ...argv);
  expect({ code, err }).toEqual({ code: 0, err: '' });
  return JSON.parse(out).options;
}

describe('--config', () => {
  it('gives options by their names, in either spelling; the command line counts more', async () => {
    const config = {
      target: 'y',
      'max-passes': 7,
      learningRate: 0.5,
      drop: ['id', 'sold'],
      intercept: false,
      l2: '1e-3',
      standardize: true,
    };
    const options = await optionsWith(config, '--max-passes', '9', '--optimizer', 'gradient-descent');
    expect(options).toMatchObject({ target: 'y', maxPasses: 9, learningRate: 0.5, drop: ['id', 'sold'], intercept: false, l2: 0.001 });
    expect(await optionsWith(config, '--drop', 'a', '--optimizer', 'gradient-descent')).toMatchObject({ drop: ['a'] });
    expect(await optionsWith({ target: 'y', 'time-limit': '5m', drop: 'id', seed: null })).toMatchObject({
      timeLimitSeconds: 300,
      seed: 0,
      drop: ['id'],
    });
  });

  it('may begin with a byte order mark', async () => {
    expect(await optionsWith('\uFEFF{"target": "y", "l2": 0.5}')).toMatchObject({ target: 'y', l2: 0.5 });
  });

  it.each([
    [{ 'no-standardize': true }, `there is no option 'no-standardize' (say "standardize": false)`],
    [{ noIntercept: true }, `there is no option 'noIntercept' (say "intercept": false)`],
    [{ config: 'other.json' }, "there is no option 'config' ["],
  ])('says how an option is called there: %j', async (config, message) => {
    writeFileSync('c.json', JSON.stringify(config));
    const { code, err } = await run('train', 'rows.csv', '--config', 'c.json', '--dry-run');
    expect(code).toBe(2);
    expect(err).toContain(message);
  });

  it('repeats a run from its config.json, in another folder', async () => {
    const argv = ['--target', 'y', '--drop', 'id', '--l2', '0.01', '--dtype', 'f64', '--time-limit', '1h', '--seed', '4'];
    const first = JSON.parse((await run('train', 'rows.csv', ...argv, '--out', 'first', '--json')).out);
    const again = JSON.parse((await run('train', 'rows.csv', '--config', 'first/config.json', '--out', 'again', '--json')).out);
    expect(again.weightsSha256).toBe(first.weightsSha256);
    const config = (name: string): Record<string, unknown> => JSON.parse(readFileSync(`${name}/config.json`, 'utf8'));
    expect({ ...config('again'), out: '' }).toEqual({ ...config('first'), out: '' });
  });

  it.each([
    ['nothing', undefined, /cannot be read.*\[PARAGRAD_CONFIG\]/],
    ['c.json', '{"a":', /is not JSON.*\[PARAGRAD_CONFIG\]/],
    ['c.json', '[1]', /must hold one object.*\[PARAGRAD_CONFIG\]/],
    ['c.json', '{"tagret":"y"}', /there is no option 'tagret' \(did you mean target\?\).*\[PARAGRAD_OPTION\]/],
    ['c.json', '{"config":"c.json"}', /there is no option 'config'/],
    ['c.json', '{"__proto__":{"l2":1},"constructor":1}', /there is no option/],
    ['c.json', '{"intercept":"no"}', /--no-intercept must be true or false, not "no"/],
    ['c.json', '{"drop":[1]}', /--drop must be a list of names, not \[1\]/],
    ['c.json', '{"target":7}', /--target must be a text, not 7/],
    ['c.json', '{"l2":true}', /--l2 must be a number, not true/],
    ['c.json', '{"max-passes":1.5}', /--max-passes must be a whole number, not '1\.5'/],
    ['c.json', '{"l2":-1,"target":"y"}', /--l2 must be .*not -1/],
  ])('%s %s is refused', async (file, text, message) => {
    if (text !== undefined) writeFileSync(file, text);
    const { code, err } = await run('train', 'rows.csv', '--config', file);
    expect(code).toBe(2);
    expect(err).toMatch(message);
  });
});

describe('--dry-run', () => {
  it('shows all options and the plan, and writes nothing', async () => {
    const files = readdirSync('.');
    const { code, out, err } = await run(
      'train',
      'rows.csv',
      '--target',
      'y',
      '--workers',
      '2',
      '--chunk-rows',
      '16',
      '--category',
      'zip',
      '--dry-run',
    );
    expect({ code, err }).toEqual({ code: 0, err: '' });
    expect(readdirSync('.')).toEqual(files);
    expect(existsSync('runs')).toBe(false);
    for (const line of [/^ {2}tolerance +1e-6 +default$/m, /^ {2}workers +2$/m, /^ {2}l2 +1 \/ number of training rows +from the data$/m])
      expect(out).toMatch(line);
    expect(out).toContain('Plan  2 threads, split by rows');
    const weighted = await run('train', 'rows.csv', '--target', 'y', '--weight', 'zip', '--dry-run');
    expect(weighted.out).toMatch(/^ {2}l2 +1 \/ sum of the weights of the training rows +from the data$/m);
  });

  it('for programs: the plan that the run then has', async () => {
    const argv = ['train', 'rows.csv', '--target', 'sold', '--drop', 'id', '--chunk-rows', '16', '--partition', 'rows', '--json'];
    const plan = JSON.parse((await run(...argv, '--dry-run')).out);
    expect(plan).toMatchObject({
      rows: 90,
      model: 'logistic',
      target: 'sold',
      exact: false,
      given: expect.arrayContaining(['target', 'drop']),
    });
    expect(plan.given).not.toContain('intercept');
    const summary = JSON.parse((await run(...argv, '--out', 'planned')).out);
    expect(summary.plan).toMatchObject({ columns: plan.plan.columns, workers: plan.plan.workers, engine: plan.plan.engine });
  });

  it.each([
    [['train', '--dry-run'], 2, /--dry-run needs a table/],
    [['train', 'rows.csv', '--dry-run'], 2, /--target is missing/],
    [['train', 'rows.csv', '--dry-run', '--target', 'x'], 1, /no such column/],
  ])('refuses what train would: %j', async (argv, exitCode, message) => {
    const { code, err } = await run(...argv);
    expect(code).toBe(exitCode);
    expect(err).toMatch(message);
  });
});
