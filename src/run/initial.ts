import type { Encoded } from '../data/encoded.ts';
import { type EncodedColumn, encodedColumns } from '../data/encoder.ts';
import { listOf } from '../data/names.ts';
import { ParagradError } from '../errors.ts';
import type { Vector } from '../update/pass.ts';
import { joined, outputOf } from '../update/vectors.ts';
import type { FittedModel } from './model.ts';

/**
 * The weights of a model, for other data: column by column of the same name, through the user's own units, since means, scales and
 * categories may differ. Columns that the model does not know start at 0.
 *
 * @throws PARAGRAD_OPTION when model and data have no column in common, or the model is of another kind, or of other classes.
 */
export function initialVector(model: FittedModel, encoded: Encoded): { vector: Vector; note: string | undefined } {
  const option = { place: { option: '--init' } };
  if (model.name !== encoded.model)
    throw new ParagradError('PARAGRAD_OPTION', `--init: that model is ${model.name}, and this run is ${encoded.model}`, option);
  const columns = encodedColumns(encoded.encoder);
  if (encoded.target.kind === 'labels' && encoded.target.labels.join('\u0000') !== model.labels.join('\u0000'))
    throw new ParagradError(
      'PARAGRAD_OPTION',
      `--init: that model has the classes ${listOf(model.labels, 5)}, and these data ${listOf(encoded.target.labels, 5)}`,
      option,
    );
  const names = new Set(model.columns.map(({ name }) => name));
  const shared = columns.filter(({ name }) => names.has(name)).length;
  if (shared === 0 && columns.length > 0)
    throw new ParagradError('PARAGRAD_OPTION', '--init: that model has no column in common with these data', option);
  const outputs = Array.from({ length: encoded.target.kind === 'labels' ? model.labels.length : 1 }, (_, k) =>
    outputFor(model, k, columns),
  );
  const rest = columns.length - shared;
  return {
    vector: joined(outputs),
    note: rest === 0 ? undefined : `${rest} columns are not in the model of --init: their weights start at 0`,
  };
}

/** An output's weights, through the user's own units. */
function outputFor(model: FittedModel, output: number, columns: readonly EncodedColumn[]): Vector {
  const own = outputOf(model.vector, output);
  const known = new Map(model.columns.map((column, j) => [column.name, (own.weights[j] as number) / column.scale]));
  const weights = Float64Array.from(columns, ({ name, scale }) => (known.get(name) ?? 0) * scale);
  const shift = (sum: number, { mean, scale }: EncodedColumn, j: number): number => sum + ((weights[j] as number) * mean) / scale;
  return { weights, intercept: columns.reduce(shift, model.intercept(output)) };
}
