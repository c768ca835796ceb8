import { existsSync, linkSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runCli } from '../../src/cli/cli.ts';
import { generate, inspectData, predictFile, prepare, train, writeReport } from '../../src/index.ts';
import { fakeTerminal } from './fake-terminal.ts';

const HOUSES = ['area,price', ...Array.from({ length: 60 }, (_, i) => `${50 + i},${1000 * (50 + i) + (i % 7)}`)].join('\n');
const TRAIN = ['train', 'in.csv', '--target', 'price', '--max-passes', '3'];
const INPUTS = ['in.csv', 'model/model.json', 'dataset/manifest.json', 'cut/config.json'];

const before = process.cwd();
let folder: string;
let contents: string[];

const read = (): string[] => INPUTS.map((file) => readFileSync(file, 'utf8'));

async function run(...argv: string[]): Promise<{ code: number; err: string }> {
  const terminal = fakeTerminal();
  const code = await runCli(argv, terminal);
  return { code, err: terminal.texts.err };
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'paragrad-outputs-'));
  process.chdir(folder);
  writeFileSync('in.csv', `${HOUSES}\n`);
  symlinkSync('in.csv', 'link.csv');
  linkSync('in.csv', 'twin.csv');
  mkdirSync('web');
  writeFileSync('web/manifest.json', '{"name": "a page, and no dataset"}');
  writeFileSync('web/config.json', '{}');
  await train('in.csv', { target: 'price', out: 'model' });
  const { summary } = await train('in.csv', { target: 'price', out: 'cut', maxPasses: 1, optimizer: 'gradient-descent' });
  expect(summary.converged).toBe(false);
  await prepare('in.csv', { target: 'price', out: 'dataset' });
  contents = read();
});

afterAll(() => {
  process.chdir(before);
  rmSync(folder, { recursive: true });
});

describe('what a command reads is not replaced, even with --force', () => {
  it.each([
    [...TRAIN, '--report', 'in.csv'],
    [...TRAIN, '--report', 'link.csv'],
    [...TRAIN, '--report', './twin.csv'],
    ['train', '*.csv', '--target', 'price', '--report', 'in.csv'],
    [...TRAIN, '--out', 'in.csv'],
    [...TRAIN, '--init', 'model', '--out', 'model'],
    [...TRAIN, '--init', 'model', '--report', 'model/model.json'],
    [...TRAIN, '--validation-data', 'in.csv', '--report', 'in.csv'],
    ['train', 'dataset', '--out', 'dataset'],
    ['train', 'dataset', '--report', 'dataset/manifest.json'],
    ['train', '--resume', 'cut', '--report', 'in.csv'],
    ['train', '--resume', 'cut', '--report', 'cut/config.json'],
    ['inspect', 'in.csv', '--target', 'price', '--encoded', 'in.csv'],
    ['inspect', 'model', '--report', 'model/model.json'],
    ['inspect', 'model', '--coefficients', 'model/../model/model.json'],
    ['predict', 'model', 'in.csv', '--out', 'in.csv'],
    ['predict', 'model', 'in.csv', '--out', 'model/model.json'],
    ['prepare', 'in.csv', '--target', 'price', '--out', '.'],
    ['prepare', 'in.csv', '--target', 'price', '--out', 'model'],
    ['generate', '--rows', '20', '--columns', '2', '--format', 'dataset', '--out', 'model'],
    [...TRAIN, '--out', 'dataset'],
    [...TRAIN, '--out', 'web'],
    ['prepare', 'in.csv', '--target', 'price', '--out', 'web'],
  ])('%s %s %s %s %s %s %s %s', async (...argv) => {
    const { code, err } = await run(...argv.filter((each) => each !== undefined), '--force');
    expect({ code, err: err.replaceAll(/\s+/gu, ' ') }).toEqual({
      code: 1,
      err: expect.stringMatching(/not replaced even with --force: choose another --.*\[PARAGRAD_OUT_EXISTS\]/u),
    });
    expect(read()).toEqual(contents);
  });

  it('nor by the library', async () => {
    const code = 'PARAGRAD_OUT_EXISTS';
    await expect(predictFile('model', 'in.csv', { to: 'in.csv' })).rejects.toMatchObject({ code, place: { option: '--out' } });
    await expect(inspectData('in.csv', { target: 'price', encoded: 'in.csv' })).rejects.toMatchObject({ code });
    await expect(writeReport('model', 'model/config.json')).rejects.toMatchObject({ code });
    await expect(prepare('in.csv', { target: 'price', out: '.', force: true })).rejects.toMatchObject({ code });
    expect(read()).toEqual(contents);
  });

  it('and what it made before is', async () => {
    for (const argv of [
      [...TRAIN, '--out', 'again', '--report', 'again/page.html'],
      ['prepare', 'in.csv', '--target', 'price', '--out', 'rows'],
    ])
      for (let time = 0; time < 2; time += 1) expect((await run(...argv, '--force')).err).not.toContain('error');
    expect([existsSync('again/page.html'), existsSync('rows/manifest.json')]).toEqual([true, true]);
  });
});

describe('a place that cannot be is refused before anything is read', () => {
  it.each([
    [...TRAIN, '--out', ''],
    [...TRAIN, '--report', ''],
    [...TRAIN, '--init', ''],
    [...TRAIN, '--config', ''],
    ['train', '--resume', ''],
    ['predict', 'model', 'in.csv', '--out', ''],
    ['inspect', 'in.csv', '--target', 'price', '--encoded', ''],
    ['generate', '--rows', '20', '--columns', '2', '--out', ''],
  ])('an empty one: %s %s %s %s %s %s %s', async (...argv) => {
    const { code, err } = await run(...argv.filter((each) => each !== undefined));
    expect({ code, err }).toEqual({ code: 2, err: expect.stringMatching(/--[a-z]+ must be a path, and is empty.*\[PARAGRAD_OPTION\]/su) });
  });

  it.each([
    [...TRAIN, '--out', '-'],
    [...TRAIN, '--report', '-'],
    ['predict', 'model', 'in.csv', '--out', '-'],
    ['inspect', 'model', '--coefficients', '-'],
    ['generate', '--rows', '20', '--columns', '2', '--out', '-'],
  ])('one that would be standard input elsewhere: %s %s %s %s %s %s %s', async (...argv) => {
    const { code, err } = await run(...argv.filter((each) => each !== undefined));
    expect({ code, err }).toEqual({ code: 2, err: expect.stringMatching(/--[a-z]+ -: a path is needed here.*\[PARAGRAD_OPTION\]/su) });
    expect(existsSync('-')).toBe(false);
  });

  it.each([
    ['--report', 'none/page.html', 'its folder none does not exist'],
    ['--report', 'in.csv/page.html', 'in.csv is not a folder'],
    ['--report', 'model', 'it is a folder, and a file is needed'],
    ['--report', 'here', 'it is the folder of the run'],
  ])('%s %s', async (option, path, why) => {
    const { code, err } = await run(...TRAIN, option, path, '--out', 'here', '--force');
    expect({ code, err: err.replaceAll(/\s+/gu, ' ') }).toEqual({ code: 1, err: expect.stringContaining(`cannot be written: ${why}`) });
    expect(existsSync('here')).toBe(false);
  });

  it('in the library, too', async () => {
    const refused = { code: 'PARAGRAD_OPTION', place: { option: '--out' } };
    await expect(train('in.csv', { target: 'price', out: '' })).rejects.toMatchObject(refused);
    await expect(prepare('in.csv', { target: 'price' } as never)).rejects.toMatchObject(refused);
    await expect(generate({ rows: 20, columns: 2, out: '' })).rejects.toMatchObject(refused);
  });
});

describe('what is not there is said to be not there', () => {
  it.each([
    [['train', 'zk'], 'zk does not exist [PARAGRAD_FILE]'],
    [['train', 'model'], 'model is a folder, and no dataset'],
    [['train', '--resume', 'ci'], 'ci does not exist: name the folder of a run [PARAGRAD_RESUME]'],
    [['inspect', 'model', '--encoded', 'e.parquet'], '--encoded is for tables, and model is a folder [PARAGRAD_OPTION]'],
    [['inspect', 'dataset', '--no-standardize'], '--no-standardize is for tables, and dataset is a dataset folder'],
  ])('%j', async (argv, text) => {
    expect((await run(...argv)).err.replaceAll(/\s+/gu, ' ')).toContain(text);
  });
});

it.each(['--target', '--category', '--number', '--drop', '--weight', '--offset', '--id', '--split-by', '--validation-after'])(
  'a column that is not there fails alike, whichever option names it: %s',
  async (option) => {
    const rest = option === '--target' ? [] : ['--target', 'price'];
    const { code, err } = await run('train', 'in.csv', ...rest, option, option === '--validation-after' ? 'nope=1' : 'nope', '--out', 'no');
    expect({ code, err }).toEqual({ code: 1, err: expect.stringContaining('[PARAGRAD_COLUMN]') });
  },
);
