import { ParagradError } from '../errors.ts';
import { quote, unknownColumn } from './names.ts';
import type { ColumnChoices, ColumnKind, Table } from './table.ts';

/** More different texts than this, on more than half of the rows that have one: an id, not a category. */
export const MAX_CATEGORIES = 256;
const ID_SHARE = 0.5;
const ROW_COLUMNS = { weight: '--weight', offset: '--offset', id: '--id', splitBy: '--split-by' } as const;

export type SchemaKind = 'number' | 'boolean' | 'date' | 'category' | 'other';

/** What becomes of a column. Only features are encoded; those that are left out are listed with the reason. */
export type ColumnRole = 'feature' | 'target' | 'weight' | 'offset' | 'group' | 'dropped' | 'id' | 'constant' | 'empty' | 'unsupported';

export interface SchemaColumn {
  readonly name: string;
  readonly kind: SchemaKind;
  readonly sourceType: string;
  readonly role: ColumnRole;
  /** Why a column is left out, in words; '' for a feature. */
  readonly note: string;
  /** Something about its values that a user will want to know. */
  readonly hint?: string;
}

export interface Schema {
  readonly source: string;
  readonly target: string | undefined;
  /** In source order. */
  readonly columns: readonly SchemaColumn[];
}

const KINDS: Record<ColumnKind, SchemaKind> = { number: 'number', boolean: 'boolean', date: 'date', text: 'category', other: 'other' };

function roleOf(column: Table['columns'][number], options: { target?: string | undefined } & ColumnChoices): [ColumnRole, string] {
  const { name, text } = column;
  if (name === options.target) return ['target', ''];
  if (options.drop?.includes(name)) return ['dropped', 'left out by --drop'];
  if (name === options.weight) return ['weight', ''];
  if (name === options.offset) return ['offset', ''];
  if (name === options.id) return ['id', 'names the rows'];
  if (name === options.splitBy) return ['group', 'decides the split'];
  if (column.kind === 'other') return ['unsupported', `${column.sourceType} values are not encoded`];
  if (text?.present === 0) return ['empty', 'no value in any row'];
  if (text !== undefined && text.distinct > MAX_CATEGORIES && text.distinct > text.present * ID_SHARE && !options.category?.includes(name))
    return ['id', `${text.distinct} different texts in ${text.present} rows look like an id (--category keeps it)`];
  return ['feature', ''];
}

/** What a user will want to know of a text column whose values look like numbers. */
function numberHint({ name, text }: Table['columns'][number]): string | undefined {
  if (text?.decimalComma !== undefined)
    return `column ${quote(name)} holds numbers with decimal commas (${quote(text.decimalComma)}), so it is text: write them with points`;
  if (text?.noNumber !== undefined)
    return `column ${quote(name)} holds numbers but for values such as ${quote(text.noNumber)}, so it is text: --number ${quote(name)} --bad-rows impute takes these as missing (skip leaves their rows out), and --category ${quote(name)} keeps it as it is`;
  return undefined;
}

/**
 * What each column is and what becomes of it, as far as the source says before statistics: constant and empty columns are
 * found later (`withRoles`).
 *
 * @throws PARAGRAD_COLUMN when an option names a column that is not there; PARAGRAD_OPTION when the target is dropped
 */
export function schemaOf(table: Table, options: { target?: string | undefined } & ColumnChoices = {}): Schema {
  const names = table.columns.map((column) => column.name);
  const { target } = options;
  if (target !== undefined && !names.includes(target)) throw unknownColumn(target, names, table.source, '--target');
  const lists: [string, readonly string[]][] = [
    ['--category', options.category ?? []],
    ['--number', options.number ?? []],
    ['--drop', options.drop ?? []],
    ...Object.entries(ROW_COLUMNS).map(([role, option]): [string, readonly string[]] => {
      const name = options[role as keyof typeof ROW_COLUMNS];
      return [option, name === undefined ? [] : [name]];
    }),
  ];
  for (const [option, wanted] of lists)
    for (const name of wanted) if (!names.includes(name)) throw unknownColumn(name, names, table.source, option);
  for (const [option, wanted] of lists.slice(2))
    if (target !== undefined && wanted.includes(target))
      throw new ParagradError('PARAGRAD_OPTION', `${option} ${quote(target)}: this is the target`, { place: { option, column: target } });
  const other = table.columns.find((column) => column.name === target && column.kind === 'other');
  if (other !== undefined)
    throw new ParagradError(
      'PARAGRAD_TARGET',
      `target ${quote(other.name)} holds ${other.sourceType} values: a number, or two classes are needed`,
      { place: { option: '--target', column: other.name } },
    );
  const columns = table.columns.map((column): SchemaColumn => {
    const [role, note] = roleOf(column, options);
    const base = { name: column.name, kind: KINDS[column.kind], sourceType: column.sourceType, role, note };
    const hint = role === 'dropped' || options.category?.includes(column.name) === true ? undefined : numberHint(column);
    return hint === undefined ? base : { ...base, hint };
  });
  return { source: table.source, target, columns };
}

/** The schema with what there is to say of a split by `--validation-after` that leaves no row to validate on. */
export function withSplit(schema: Schema, after: string | undefined, { validation }: { readonly validation: number }): Schema {
  if (after === undefined || validation > 0) return schema;
  const name = after.slice(0, after.lastIndexOf('='));
  const hint = `no row is above --validation-after ${quote(after)}: there are no validation rows`;
  return { ...schema, columns: schema.columns.map((column) => (column.name === name ? { ...column, hint } : column)) };
}

/** The schema with roles that statistics found (constant, empty), by column name. */
export function withRoles(schema: Schema, found: ReadonlyMap<string, { role: ColumnRole; note: string }>): Schema {
  return { ...schema, columns: schema.columns.map((column) => ({ ...column, ...found.get(column.name) })) };
}
