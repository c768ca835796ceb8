// Everything that must hold: checks of the code, then every suite of tests, each with its time. What suites need besides (other
// versions of Node.js, a Python environment, Ray) is installed first, where that works. The last line counts.
//
//   node scripts/test-all.mjs [check|quick|slow|node|python|ray …]      default: all of them
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { inOwnNetwork } from './test-engines.mjs';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const CHECKS = ['lint', 'types', 'promises', 'imports', 'unused', 'package'];
const SUITES = ['quick', 'slow', 'node', 'python', 'ray'];
const INSTALLS = { node: 'engine-node.mjs', python: 'engine-python.mjs', ray: 'engine-ray.mjs' };
/** Suites on real clusters, which get a network of their own. */
const CLUSTERS = ['ray'];

const parts = process.argv.slice(2);
const unknown = parts.filter((part) => part !== 'check' && !SUITES.includes(part));
if (unknown.length > 0) {
  console.error(`test-all: no such part: ${unknown.join(', ')} (check, ${SUITES.join(', ')})`);
  process.exit(2);
}
const wants = (part) => parts.length === 0 || parts.includes(part);

function run(command, args) {
  return spawnSync(command, args, { cwd: ROOT, stdio: 'inherit', shell: process.platform === 'win32' }).status ?? 1;
}
const npmRun = (script) => run('npm', ['run', '--silent', script]);

const counts = { passed: 0, failed: 0, skipped: 0 };
/** Steps that are no tests: the build and the checks. */
const steps = { passed: 0, failed: 0 };
const report = [];

/** Runs one part and notes what came of it and how long it took. */
function part(name, work) {
  console.log(`\n── ${name}`);
  const start = performance.now();
  const outcome = work();
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  report.push(`${name.padEnd(16)} ${seconds.padStart(8)} s   ${outcome}`);
}

const step = (script) => () => {
  const ok = npmRun(script) === 0;
  steps[ok ? 'passed' : 'failed'] += 1;
  return ok ? 'ok' : 'FAILED';
};

const tests = (name) => () => {
  const { passed, failed, skipped } = suite(name);
  counts.passed += passed;
  counts.failed += failed;
  counts.skipped += skipped;
  return countsText(passed, failed, skipped);
};

const countsText = (passed, failed, skipped) => `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`;

/** Counts of a suite as vitest saw them. A file that did not load, or an error outside of any test, counts as a failure. */
function suite(name) {
  const folder = mkdtempSync(path.join(tmpdir(), 'paragrad-tests-'));
  try {
    const output = path.join(folder, 'result.json');
    const vitest = path.join(ROOT, 'node_modules/vitest/vitest.mjs');
    const args = ['run', '--project', name, '--passWithNoTests', '--reporter=default', '--reporter=json', `--outputFile.json=${output}`];
    const [command, all] = CLUSTERS.includes(name)
      ? inOwnNetwork(process.execPath, [vitest, ...args])
      : [process.execPath, [vitest, ...args]];
    const status = run(command, all);
    const result = JSON.parse(readFileSync(output, 'utf8'));
    const unloaded = result.testResults.filter((file) => file.status === 'failed' && file.assertionResults.length === 0).length;
    const failed = result.numFailedTests + unloaded;
    return {
      passed: result.numPassedTests,
      failed: status !== 0 && failed === 0 ? 1 : failed,
      skipped: result.numPendingTests + result.numTodoTests,
    };
  } catch (error) {
    console.error(`the suite ${name} left no result: ${error.message}`);
    return { passed: 0, failed: 1, skipped: 0 };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

part('build', step('build'));
if (wants('check')) for (const check of CHECKS) part(`check:${check}`, step(`check:${check}`));
const suites = SUITES.filter(wants);
for (const name of suites) {
  // A failure to install says why by itself; with CI=true the tests then fail, elsewhere they are skipped.
  if (name in INSTALLS) run(process.execPath, [path.join(ROOT, 'scripts', INSTALLS[name])]);
  part(`test ${name}`, tests(name));
}

console.log(`\n${report.join('\n')}\n`);
console.log(`build and checks: ${steps.passed} ok, ${steps.failed} failed`);
// A failed step is a failure of the whole, so it counts in the last line.
if (suites.length > 0) console.log(countsText(counts.passed, counts.failed + steps.failed, counts.skipped));
process.exitCode = counts.failed + steps.failed > 0 ? 1 : 0;
