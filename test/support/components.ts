import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { describe, it } from 'vitest';

/**
 * What some tests need besides this repository: other versions of Node.js, a Python with NumPy and scikit-learn, and Ray. Where
 * one is missing, its tests are skipped with the reason; with CI=true that is a failure, so that nothing is skipped unseen.
 */
interface Component {
  readonly title: string;
  readonly path: string;
  readonly install: string;
}

const ENGINES = resolve(import.meta.dirname, '../../.engines');
const WINDOWS = process.platform === 'win32';

const COMPONENTS = {
  node22: { title: 'Node.js 22', path: `node/node_modules/node-22/bin/node${WINDOWS ? '.exe' : ''}`, install: 'npm run engine:node' },
  node24: { title: 'Node.js 24', path: `node/node_modules/node-24/bin/node${WINDOWS ? '.exe' : ''}`, install: 'npm run engine:node' },
  python: {
    title: 'Python with scikit-learn',
    path: WINDOWS ? 'python/Scripts/python.exe' : 'python/bin/python',
    install: 'npm run engine:python',
  },
  ray: { title: 'Ray', path: 'ray/2.60.0/paragrad-installed.txt', install: 'npm run engine:ray' },
} as const satisfies Record<string, Component>;

/**
 * `describe` for tests that need a component; `body` gets the path of its binary.
 *
 * @example describeWith('node24', 'golden hashes', (node) => { it('are those of this version', () => { … }); });
 */
export function describeWith(component: keyof typeof COMPONENTS, name: string, body: (binary: string) => void): void {
  const { title, path, install } = COMPONENTS[component];
  const binary = resolve(ENGINES, path);
  if (existsSync(binary)) {
    describe(name, () => body(binary));
    return;
  }
  const reason = `${title} is not installed (${install})`;
  if (process.env.CI === 'true')
    describe(name, () => {
      it(`needs ${title}`, () => {
        throw new Error(reason);
      });
    });
  else {
    console.warn(`skipped: ${name}: ${reason}`);
    describe.skip(`${name}: ${reason}`, () => body(binary));
  }
}
