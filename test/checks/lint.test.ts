import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

/** Proof that the linter and the check of promises fire: a made project with the real configuration, one offence a file. */

const ROOT = resolve(import.meta.dirname, '../..');
const PROJECT = mkdtempSync(join(tmpdir(), 'paragrad-lint-'));

const OFFENCES: Readonly<Record<string, { rule: string; text: string }>> = {
  'src/run/any.ts': { rule: 'lint/suspicious/noExplicitAny', text: 'export const f = (x: any): number => x;' },
  'src/update/exp.ts': { rule: 'plugin', text: 'export const f = (x: number): number => Math.exp(x);' },
  'src/run/random.ts': { rule: 'plugin', text: 'export const f = (): number => Math.random();' },
  'src/partition/clock.ts': { rule: 'plugin', text: 'export const f = (): number => Date.now();' },
  'src/update/timer.ts': { rule: 'plugin', text: 'export const f = (g: () => void): unknown => setTimeout(g, 1);' },
  'src/communicate/wasm.ts': {
    rule: 'lint/style/noRestrictedGlobals',
    text: 'export const f = (): unknown => new WebAssembly.Memory({ initial: 1 });',
  },
  'src/run/floating.ts': {
    rule: 'lint/nursery/noFloatingPromises',
    text: 'const g = async (): Promise<void> => {};\nexport function f(): void {\n  g();\n}',
  },
  'src/run/misused.ts': { rule: 'lint/nursery/noMisusedPromises', text: 'export const f = (): void => [1].forEach(async () => {});' },
};

const FINE: Readonly<Record<string, string>> = {
  'src/math.ts': 'export const f = (x: number): number => Math.log(x) + Math.max(x, 1);',
  'src/update/sqrt.ts': 'export const f = (x: number): number => Math.sqrt(x);',
  'src/run/clock.ts': 'export const f = (): number => Date.now();',
  'src/data/wasm.ts': 'export const f = (): unknown => new WebAssembly.Memory({ initial: 1 });',
  'src/run/awaited.ts': 'const g = async (): Promise<void> => {};\nexport async function f(): Promise<void> {\n  await g();\n}',
};

/** What floats and only types show, by line; the others are in order. */
const FLOATING = `import { rm } from 'node:fs/promises';
interface Evaluator { evaluate<T>(pass: T): Promise<T> }
export async function f(e: Evaluator, x?: Evaluator): Promise<void> {
  rm('x');
  e.evaluate(1);
  x?.evaluate(1);
  e.evaluate(1).finally(() => {});
  [1].map(async () => {});
  x && x.evaluate(2);
  await e.evaluate(1);
  void rm('x');
  e.evaluate(1).catch(() => {});
  e.evaluate(1).then(() => {}, () => {}).finally(() => {});
  [1].map(() => 2);
}
`;

function write(path: string, text: string): void {
  mkdirSync(dirname(join(PROJECT, path)), { recursive: true });
  writeFileSync(join(PROJECT, path), `${text}\n`);
}

const found = new Map<string, string[]>();

beforeAll(() => {
  for (const path of ['biome.json', 'scripts/lint']) cpSync(join(ROOT, path), join(PROJECT, path), { recursive: true });
  symlinkSync(join(ROOT, 'node_modules'), join(PROJECT, 'node_modules'));
  for (const [path, { text }] of Object.entries(OFFENCES)) write(path, text);
  for (const [path, text] of Object.entries(FINE)) write(path, text);
  const biome = join(ROOT, 'node_modules/@biomejs/biome/bin/biome');
  const run = spawnSync(process.execPath, [biome, 'lint', '--vcs-enabled=false', '--reporter=json', 'src'], {
    cwd: PROJECT,
    encoding: 'utf8',
  });
  const { diagnostics } = JSON.parse(run.stdout) as {
    diagnostics: { category: string; severity: string; location: { path: string | { file: string } } }[];
  };
  for (const { category, severity, location } of diagnostics) {
    const path = typeof location.path === 'string' ? location.path : location.path.file;
    if (severity === 'error') found.set(path, [...(found.get(path) ?? []), category]);
  }
});

afterAll(() => rmSync(PROJECT, { recursive: true }));

describe('the linter', () => {
  it.each(Object.entries(OFFENCES))('finds the offence in %s', (path, { rule }) => {
    expect(found.get(path) ?? []).toContain(rule);
  });

  it.each(Object.keys(FINE))('finds nothing in %s', (path) => {
    expect(found.get(path) ?? []).toEqual([]);
  });
});

describe('the check of promises', () => {
  it('finds what floats, through the types of Node.js, generics and chains', () => {
    write(
      'promises/tsconfig.json',
      JSON.stringify({
        extends: join(ROOT, 'tsconfig.json'),
        compilerOptions: { typeRoots: [join(ROOT, 'node_modules/@types')] },
        include: ['*.ts'],
      }),
    );
    write('promises/floating.ts', FLOATING);
    const run = spawnSync(process.execPath, [join(ROOT, 'scripts/check-promises.mjs'), join(PROJECT, 'promises/tsconfig.json')], {
      cwd: PROJECT,
      encoding: 'utf8',
    });
    const lines = [...run.stderr.matchAll(/floating\.ts:(\d+):/g)].map(([, line]) => Number(line));
    expect(lines).toEqual([4, 5, 6, 7, 8, 9]);
    expect(run.status).toBe(1);
  });
});
