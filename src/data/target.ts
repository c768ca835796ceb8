import { ParagradError } from '../errors.ts';
import { exp, log } from '../math.ts';
import { compareUtf8, listOf, nearestName, quote } from './names.ts';
import { notFinite } from './statistics.ts';
import type { ColumnKind, Values } from './table.ts';

/** Most classes of a softmax model: more are names of rows, or a number. */
export const MAX_CLASSES = 256;

/** How the target column becomes y: a number as it is, 0 and 1, or the number of a class. Plain JSON, part of the model. */
export type TargetEncoder =
  | {
      readonly kind: 'number';
      readonly name: string;
      readonly column: ColumnKind;
      /** y is the natural logarithm of the value (`--log-target`). */
      readonly log?: true;
    }
  | { readonly kind: 'classes'; readonly name: string; readonly column: ColumnKind; readonly negative: string; readonly positive: string }
  /** y is the number of the label, from 0, in UTF-8 byte order. */
  | { readonly kind: 'labels'; readonly name: string; readonly column: ColumnKind; readonly labels: readonly string[] };

export type ModelChoice = 'auto' | ModelName;
type ModelName = 'linear' | 'logistic' | 'softmax';

/** The model of a target. */
export function modelForTarget({ kind }: TargetEncoder): ModelName {
  return kind === 'number' ? 'linear' : kind === 'classes' ? 'logistic' : 'softmax';
}

/** What the rows say about the target: its values, as labels. */
export interface TargetProbe {
  readonly column: ColumnKind;
  /** Different values in UTF-8 byte order: all that occur (text), or one more than there may be classes at most (numbers). */
  readonly labels: readonly string[];
}

/** Looks at target values batch by batch. */
export class TargetProbing {
  readonly #column: ColumnKind;
  readonly #log: boolean;
  readonly #numbers = new Set<number>();
  readonly #seen = new Set<string>();

  /** @param log values must have a logarithm */
  constructor(column: ColumnKind, log = false) {
    this.#column = column;
    this.#log = log;
  }

  /** `use[i]`: 2 where the row has no target. @throws PARAGRAD_VALUE for an infinite target */
  look(values: Values, rows: number, place: { source: string; name: string; firstRow: number }): void {
    if (values.kind === 'text') {
      const seen = new Uint8Array(values.dictionary.length);
      for (let i = 0; i < rows; i += 1) if ((values.codes[i] as number) >= 0) seen[values.codes[i] as number] = 1;
      for (const [code, label] of values.dictionary.entries()) if (seen[code] === 1) this.#seen.add(label);
      return;
    }
    for (let i = 0; i < rows; i += 1) {
      const value = values.values[i] as number;
      if (value - value !== 0) throw notFinite(place.source, place.firstRow + i, place.name, value);
      if (this.#log && !(value > 0) && values.missing?.[i] !== 1) throw withoutLogarithm(place, i, value);
      if (this.#numbers.size <= MAX_CLASSES && values.missing?.[i] !== 1) this.#numbers.add(value);
    }
  }

  finish(): TargetProbe {
    const label = (value: number): string => (this.#column === 'boolean' ? String(value === 1) : String(value));
    return { column: this.#column, labels: [...this.#seen, ...[...this.#numbers].map(label)].sort(compareUtf8) };
  }
}

function withoutLogarithm(place: { source: string; name: string; firstRow: number }, i: number, value: number): ParagradError {
  const row = (place.firstRow + i + 1).toLocaleString('en-US');
  return new ParagradError(
    'PARAGRAD_VALUE',
    `${place.source}, data row ${row}, column ${quote(place.name)}: ${value} has no logarithm: --log-target needs a target above 0`,
    { place: { file: place.source, column: place.name, option: '--log-target' } },
  );
}

function targetError(name: string, why: string): ParagradError {
  return new ParagradError('PARAGRAD_TARGET', `target ${quote(name)} ${why}`, { place: { column: name, option: '--target' } });
}

/** Two labels in their order as classes: positive is the later one, or the one that was asked for. */
function classes(name: string, column: ColumnKind, labels: readonly string[], positive: string | undefined): TargetEncoder {
  if (positive !== undefined && !labels.includes(positive)) {
    const near = nearestName(positive, labels);
    throw new ParagradError(
      'PARAGRAD_OPTION',
      `--positive ${quote(positive)}: target ${quote(name)} has the classes ${listOf(labels)}${near === undefined ? '' : `; did you mean ${quote(near)}?`}`,
      { place: { option: '--positive' } },
    );
  }
  const chosen = positive ?? (labels[1] as string);
  return {
    kind: 'classes',
    name,
    column,
    positive: chosen,
    negative: labels[0] === chosen ? (labels[1] as string) : (labels[0] as string),
  };
}

/** Labels of several classes. */
function severalClasses(
  name: string,
  { column, labels }: TargetProbe,
  positive: string | undefined,
): Extract<TargetEncoder, { kind: 'labels' }> {
  if (column === 'date') throw targetError(name, 'is a date, and a softmax model needs classes: use --model linear, or make it text');
  const known = column === 'boolean' ? ['false', 'true'] : labels;
  if (known.length < 2) throw targetError(name, `has only the value ${listOf(labels)}, and a softmax model needs at least two classes`);
  if (known.length > MAX_CLASSES)
    throw targetError(
      name,
      column === 'text'
        ? `has ${labels.length} different texts, and a softmax model takes up to ${MAX_CLASSES} classes: names of rows are no classes; join rare classes${numbersHint(name, labels)}`
        : `has more than ${MAX_CLASSES} different numbers, and a softmax model takes up to so many classes: use --model linear`,
    );
  if (positive !== undefined)
    throw new ParagradError(
      'PARAGRAD_OPTION',
      `--positive ${quote(positive)}: a softmax model has no positive class; its probabilities are of all ${known.length}`,
      { place: { option: '--positive' } },
    );
  return { kind: 'labels', name, column, labels: known };
}

/** Where texts are numbers, or nearly all of them, how they can be read so. */
function numbersHint(name: string, labels: readonly string[]): string {
  const others = labels.filter((label) => label.trim() === '' || !Number.isFinite(Number(label)));
  if (others.length > labels.length / 10) return '';
  return others.length === 0
    ? `, or use --number ${quote(name)}`
    : `; nearly all are numbers: --number ${quote(name)} --bad-rows skip reads them, and leaves out rows such as that with ${quote(others[0] as string)}`;
}

/** In numeric order. 0 and 1 stand for classes even where the data hold only one of them. */
function numberClasses(labels: readonly string[]): readonly string[] | undefined {
  const binary = labels.every((label) => label === '0' || label === '1');
  if (binary) return ['0', '1'];
  return labels.length === 2 ? [...labels].sort((a, b) => Number(a) - Number(b)) : undefined;
}

/**
 * Decides between a numeric target, two classes and several. `auto`: text or booleans with two values, and two whole numbers, are
 * two classes; other text is several, other numbers are a numeric target.
 *
 * @throws PARAGRAD_TARGET when the target is missing everywhere, or does not suit the model; PARAGRAD_OPTION for a
 * positive class that does not occur
 */
export function chooseTarget(
  name: string,
  probe: TargetProbe,
  options: { model: ModelChoice; positive?: string | undefined; log?: boolean | undefined },
): TargetEncoder {
  const target = chooseKind(name, probe, options);
  if (options.log !== true) return target;
  if (target.kind !== 'number')
    throw new ParagradError('PARAGRAD_OPTION', `--log-target: target ${quote(name)} has classes, and no numbers`, {
      place: { option: '--log-target', column: name },
    });
  return { ...target, log: true };
}

function chooseKind(name: string, probe: TargetProbe, options: Parameters<typeof chooseTarget>[2]): TargetEncoder {
  const { column, labels } = probe;
  const { model, positive } = options;
  if (labels.length === 0) throw targetError(name, 'is missing in every row');
  if (model === 'softmax') return severalClasses(name, probe, positive);
  if (column === 'text') {
    if (model === 'linear')
      throw targetError(
        name,
        `is text (${listOf(labels, 3)}), and a linear model needs a number: leave --model to the data, or use --number ${quote(name)}`,
      );
    if (labels.length === 1) throw targetError(name, `has only one value, ${listOf(labels)}: there is nothing to learn`);
    if (labels.length > 2 && model === 'logistic')
      throw targetError(
        name,
        `has ${labels.length} classes (${listOf(labels, 5)}), and a logistic model needs two: use --model softmax, or make it a yes/no column`,
      );
    if (labels.length > 2) return severalClasses(name, probe, positive);
    return classes(name, column, labels, positive);
  }
  const boolean = column === 'boolean';
  // As scikit-learn's type_of_target has it: two whole numbers are classes (0 and 1, 1 and 2, −1 and 1), other numbers are not.
  const both = boolean || (column === 'number' && labels.length === 2 && labels.every((label) => Number.isInteger(Number(label))));
  if (model === 'logistic' || (model === 'auto' && both && (options.log !== true || boolean))) {
    const found = boolean ? ['false', 'true'] : column === 'number' ? numberClasses(labels) : undefined;
    if (found === undefined)
      throw targetError(
        name,
        `has ${labels.length < 3 ? `only the value ${listOf(labels)}` : 'more than two values'}, and a logistic model needs two classes: use --model linear${labels.length < 3 ? '' : ', or --model softmax where values are classes'}`,
      );
    return classes(name, column, found, positive);
  }
  if (positive !== undefined)
    throw new ParagradError('PARAGRAD_OPTION', `--positive ${quote(positive)}: target ${quote(name)} is numeric, so there are no classes`, {
      place: { option: '--positive' },
    });
  return { kind: 'number', name, column };
}

/** A value on the scale of y, and back. */
export function toScale(target: TargetEncoder, value: number): number {
  return target.kind === 'number' && target.log === true ? (value > 0 ? log(value) : Number.NaN) : value;
}
export function fromScale(target: TargetEncoder, y: number): number {
  return target.kind === 'number' && target.log === true ? exp(y) : y;
}

/** y of a batch: NaN where the target is missing, a label that is neither class, or has no logarithm where one is needed. */
export function fillTarget(target: TargetEncoder, values: Values, rows: number, y: Float64Array): void {
  if (values.kind === 'text') {
    const classes = numbersOf(target);
    const codes = Float64Array.from(values.dictionary, (label) => classes.get(label) ?? Number.NaN);
    for (let i = 0; i < rows; i += 1) y[i] = (values.codes[i] as number) < 0 ? Number.NaN : (codes[values.codes[i] as number] as number);
    return;
  }
  const label = (text: string): number => (target.column === 'boolean' ? Number(text === 'true') : Number(text));
  const classes = new Map([...numbersOf(target)].map(([text, number]) => [label(text), number]));
  for (let i = 0; i < rows; i += 1) {
    const value = values.values[i] as number;
    if (values.missing?.[i] === 1) y[i] = Number.NaN;
    else y[i] = target.kind === 'number' ? toScale(target, value) : (classes.get(value) ?? Number.NaN);
  }
}

/** y of each label. */
function numbersOf(target: TargetEncoder): Map<string, number> {
  if (target.kind === 'number') return new Map();
  const labels = labelsOfTarget(target);
  return new Map(labels.map((label, number) => [label, number]));
}

/** Labels by y; none of a number. */
export function labelsOfTarget(target: TargetEncoder): readonly string[] {
  if (target.kind === 'number') return [];
  return target.kind === 'labels' ? target.labels : [target.negative, target.positive];
}
