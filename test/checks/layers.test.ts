import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

/** Proof that each rule of .dependency-cruiser.mjs fires: one run over a made project of which each file breaks a rule, or none. */
interface Case {
  /** undefined: allowed */
  readonly rule: string | undefined;
  readonly from: string;
  readonly to: string;
}

const BROKEN: readonly Case[] = [
  { rule: 'direction-errors', from: 'src/errors.ts', to: './math.ts' },
  { rule: 'direction-math', from: 'src/random.ts', to: './partition/a.ts' },
  { rule: 'direction-math', from: 'src/monitor/a.ts', to: '../engines/engine.ts' },
  { rule: 'direction-partition', from: 'src/partition/b.ts', to: '../kernels/kernels.ts' },
  { rule: 'direction-data', from: 'src/data/b.ts', to: '../kernels/losses.ts' },
  { rule: 'direction-kernels', from: 'src/kernels/b.ts', to: '../models/model.ts' },
  { rule: 'direction-models', from: 'src/models/b.ts', to: '../update/pass.ts' },
  { rule: 'direction-update', from: 'src/update/b.ts', to: '../communicate/collective.ts' },
  { rule: 'direction-communicate', from: 'src/communicate/b.ts', to: '../strategies/evaluator.ts' },
  { rule: 'direction-strategies', from: 'src/strategies/b.ts', to: '../engines/engine.ts' },
  { rule: 'direction-engines', from: 'src/engines/b.ts', to: '../run/train.ts' },
  { rule: 'direction-run', from: 'src/run/b.ts', to: '../cli/main.ts' },
  { rule: 'contracts-of-data', from: 'src/strategies/c.ts', to: '../data/csv.ts' },
  { rule: 'contracts-of-kernels', from: 'src/strategies/d.ts', to: '../kernels/wasm.ts' },
  { rule: 'contracts-of-models', from: 'src/strategies/e.ts', to: '../models/linear.ts' },
  { rule: 'contracts-of-update', from: 'src/strategies/f.ts', to: '../update/lbfgs.ts' },
  { rule: 'contracts-of-communicate', from: 'src/strategies/g.ts', to: '../communicate/shared/memory.ts' },
  { rule: 'node-threads', from: 'src/run/c.ts', to: 'node:worker_threads' },
  { rule: 'node-processes', from: 'src/run/d.ts', to: 'node:child_process' },
  { rule: 'node-network', from: 'src/engines/c.ts', to: 'node:net' },
  { rule: 'node-files', from: 'src/communicate/c.ts', to: 'node:fs' },
  { rule: 'node-files', from: 'src/strategies/h.ts', to: 'node:fs/promises' },
  { rule: 'node-names', from: 'src/communicate/d.ts', to: 'node:crypto' },
  { rule: 'node-machine', from: 'src/kernels/c.ts', to: 'node:os' },
  { rule: 'node-waits', from: 'src/run/m.ts', to: 'node:timers/promises' },
  { rule: 'node-terminal', from: 'src/run/e.ts', to: 'node:readline' },
  { rule: 'node-others', from: 'src/run/f.ts', to: 'node:vm' },
  { rule: 'pure', from: 'src/partition/c.ts', to: 'node:os' },
  { rule: 'pure', from: 'src/update/c.ts', to: 'node:timers' },
  { rule: 'package-duckdb', from: 'src/run/g.ts', to: '@duckdb/node-bindings' },
  { rule: 'package-commander', from: 'src/run/h.ts', to: 'commander' },
  { rule: 'package-ws', from: 'src/engines/d.ts', to: 'ws' },
  { rule: 'packages-others', from: 'src/data/c.ts', to: 'vitest' },
  { rule: 'bytes-not-models', from: 'src/communicate/e.ts', to: '../models/model.ts' },
  { rule: 'worker-without-packages', from: 'src/engines/worker/a.ts', to: '../../data/duckdb.ts' },
  { rule: 'worker-without-packages', from: 'src/engines/ray/coordinator/a.ts', to: '../../../data/duckdb.ts' },
  { rule: 'no-root-index', from: 'src/cli/a.ts', to: '../index.ts' },
  { rule: 'index-only-from-run', from: 'src/index.ts', to: './kernels/wasm.ts' },
  { rule: 'no-way-out', from: 'src/run/i.ts', to: '../../test/a.ts' },
  { rule: 'no-circles', from: 'src/run/j.ts', to: './k.ts' },
  { rule: 'resolvable', from: 'src/run/l.ts', to: './not-there.ts' },
];

const ALLOWED: readonly Case[] = [
  { rule: undefined, from: 'src/strategies/ok.ts', to: '../kernels/kernels.ts' },
  { rule: undefined, from: 'src/strategies/ok2.ts', to: '../update/registry.ts' },
  { rule: undefined, from: 'src/engines/ok.ts', to: '../communicate/shared/memory.ts' },
  { rule: undefined, from: 'src/engines/ok2.ts', to: 'node:worker_threads' },
  { rule: undefined, from: 'src/engines/ray/ok.ts', to: 'node:https' },
  { rule: undefined, from: 'src/engines/ray/ok2.ts', to: 'ws' },
  { rule: undefined, from: 'src/data/duckdb.ts', to: '@duckdb/node-bindings' },
  { rule: undefined, from: 'src/models/linear.ts', to: './model.ts' },
  { rule: undefined, from: 'src/run/types.ts', to: './contract.ts' },
  { rule: undefined, from: 'src/cli/ok.ts', to: '../run/train.ts' },
];

const CASES = [...BROKEN, ...ALLOWED];
const ROOT = resolve(import.meta.dirname, '../..');
const CONFIG = join(ROOT, '.dependency-cruiser.mjs');
const PROJECT = mkdtempSync(join(tmpdir(), 'paragrad-layers-'));
const violations = new Map<string, string[]>();

function write(path: string, text: string): void {
  mkdirSync(dirname(join(PROJECT, path)), { recursive: true });
  writeFileSync(join(PROJECT, path), text);
}

beforeAll(() => {
  write('tsconfig.json', '{ "compilerOptions": { "module": "nodenext", "allowImportingTsExtensions": true, "noEmit": true } }');
  write('src/orphan.ts', 'export const alone = 1;\n');
  for (const name of ['@duckdb/node-bindings', 'commander', 'vitest', 'ws']) {
    write(`node_modules/${name}/package.json`, JSON.stringify({ name, version: '1.0.0', type: 'module', exports: './index.js' }));
    write(`node_modules/${name}/index.js`, 'export const x = 1;\n');
  }
  // What is imported is made first, so that a case can write its own import into it.
  for (const { from, to, rule } of CASES)
    if (to.startsWith('.') && rule !== 'resolvable') write(join(dirname(from), to), 'export const x = 1;\n');
  for (const { from, to } of CASES) write(from, `import { x } from '${to}';\nexport const y = x;\n`);
  write('src/run/k.ts', "export * from './j.ts';\n");
  // A contract that names its registry's types, and the other way round: no circle at run time.
  write('src/run/contract.ts', "export type { y } from './types.ts';\nexport const x = 1;\n");
  const run = spawnSync(process.execPath, [join(ROOT, 'scripts/depcruise.mjs'), '--config', CONFIG, '--output-type', 'json', 'src'], {
    cwd: PROJECT,
    encoding: 'utf8',
    maxBuffer: 2 ** 26,
  });
  const result = JSON.parse(run.stdout) as { summary: { violations: { rule: { name: string }; from: string }[] } };
  for (const { rule, from } of result.summary.violations) violations.set(from, [...(violations.get(from) ?? []), rule.name]);
});

afterAll(() => rmSync(PROJECT, { recursive: true }));

describe('the rules of imports', () => {
  it.each(BROKEN)('$rule: $from → $to', ({ rule, from }) => {
    expect(violations.get(from) ?? []).toContain(rule);
  });

  it.each(ALLOWED)('allowed: $from → $to', ({ from }) => {
    expect(violations.get(from) ?? []).toEqual([]);
  });

  it('no-orphans: a file that stands alone', () => {
    expect(violations.get('src/orphan.ts')).toEqual(['no-orphans']);
  });

  it('each has a case here, and a sentence that says why', async () => {
    const { default: configuration } = (await import(CONFIG)) as { default: { forbidden: { name: string; comment: string }[] } };
    const proved = new Set([...BROKEN.map(({ rule }) => rule), 'no-orphans']);
    for (const { name, comment } of configuration.forbidden) {
      expect(proved, name).toContain(name);
      expect(comment.length, name).toBeGreaterThan(40);
    }
  });
});
