import type { Generated } from '../../run/generate/generate.ts';
import { bytes, short } from './numbers.ts';
import type { Style } from './style.ts';
import { table } from './table.ts';
import { clean, plural } from './text.ts';

/** What `paragrad generate` prints. */
export function generateResult(generated: Generated, style: Style): string {
  const { out, rows, columns, model, condition, correlation, noise, seed, sha256 } = generated;
  const best = noise === 0 ? 'classes can be told apart without error' : `log-odds of standard deviation ${short(1 / noise)}`;
  const lines = table(
    [{}, {}, {}],
    [
      ['features', `x1 … x${columns}`, `condition number ${short(condition)}: neighbours are correlated by ${short(correlation)}`],
      [
        'target',
        model === 'linear' ? 'y, a number' : 'y, 0 or 1',
        model === 'linear' ? `R² of ${short(1 / (1 + noise * noise))} at best` : best,
      ],
      ['seed', String(seed), `sha256 ${sha256.slice(0, 16)}…`],
    ].map(([name, value, remark]) => [name as string, value as string, style.dim(remark as string)]),
    style,
  );
  const head = `${style.bold(clean(out))}  ${style.dim(`${plural(rows, 'row')}, ${plural(columns + 1, 'column')}, ${bytes(generated.bytes)}`)}`;
  return [head, ...lines].join('\n');
}
