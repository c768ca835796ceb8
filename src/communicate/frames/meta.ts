import { badFrame } from './failures.ts';

/** What a meta may hold: a flat object of numbers and short texts, by a table of its fields. */
export interface Field {
  readonly type: 'whole' | 'text';
  readonly optional?: true;
}
export type Fields = Readonly<Record<string, Field>>;
type ValueOf<F extends Field> = F['type'] extends 'whole' ? number : string;
export type MetaOf<S extends Fields> = {
  readonly [K in keyof S as S[K] extends { optional: true } ? never : K]: ValueOf<S[K]>;
} & { readonly [K in keyof S as S[K] extends { optional: true } ? K : never]?: ValueOf<S[K]> };

/** Texts are names and messages; longer ones are cut by their writer, and refused by the reader. */
export const TEXT_LENGTH = 1000;

export function writeMeta(value: Readonly<Record<string, number | string | undefined>>): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(value));
}

/**
 * Reads a meta: exactly the fields of the table, whole numbers of 0 … 2⁵³ − 1, texts of at most 1000 characters.
 *
 * @throws PARAGRAD_FRAME
 */
export function readMeta<S extends Fields>(bytes: Uint8Array, fields: S): MetaOf<S> {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    throw badFrame('the meta of a frame is not JSON');
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw badFrame('the meta of a frame is not an object');
  const object = value as Readonly<Record<string, unknown>>;
  for (const name of Object.keys(object)) if (!Object.hasOwn(fields, name)) throw badFrame('the meta of a frame has an unknown field');
  for (const [name, { type, optional }] of Object.entries(fields)) {
    const has = Object.hasOwn(object, name) ? object[name] : undefined;
    if (has === undefined && optional) continue;
    const fits = type === 'text' ? typeof has === 'string' && has.length <= TEXT_LENGTH : Number.isSafeInteger(has) && (has as number) >= 0;
    if (!fits) throw badFrame(`the field ${name} of a meta is missing or not what it must be`);
  }
  return object as MetaOf<S>;
}
