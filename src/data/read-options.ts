import { ParagradError } from '../errors.ts';
import type { BadRowsMode } from './bad-rows.ts';
import { memoryLimitBytes } from './limits.ts';
import { quote, unknownColumn } from './names.ts';
import type { DownloadOptions } from './spool.ts';
import type { ColumnChoices, ColumnKind } from './table.ts';

/** How a file is to be read. */
export interface OpenOptions extends ColumnChoices, DownloadOptions {
  /**
   * Kinds that a model expects, by column name: they come before what the sample says, and no other column is read. Names that
   * the source lacks are ignored.
   */
  readonly expected?: ReadonlyMap<string, ColumnKind> | undefined;
  /** A column among the expected ones that names rows: it is not looked at. */
  readonly expectedId?: string | undefined;
  /** CSV: read the file once into memory (spilled to disk where it must), or again for every scan. Default: by its size. */
  readonly load?: boolean | undefined;
  /** What the whole process may use; default: what the machine and its control group allow. */
  readonly memoryBytes?: number | undefined;
  /** Threads that read; default: one per core. */
  readonly threads?: number | undefined;
}

export interface ReadOptions {
  readonly load: boolean | undefined;
  readonly memoryBytes: number;
  readonly badRows: BadRowsMode;
  /** Refuses names that the source does not have. */
  check(names: readonly string[], source: string): void;
  /** Not to be read: left out by the user, or not what the model expects. */
  dropped(name: string): boolean;
  wanted(name: string): ColumnKind | undefined;
  /** Text that is passed on, and never looked at: an id. */
  plain(name: string): boolean;
  /** Who asks for the kind of a column. */
  forcedBy(name: string): string | undefined;
}

const KIND_OF_OPTION: Readonly<Record<string, ColumnKind | undefined>> = {
  '--category': 'text',
  '--number': 'number',
  '--weight': 'number',
  '--offset': 'number',
  '--id': 'text',
  '--split-by': 'text',
};

/** @throws PARAGRAD_OPTION when a column is named twice */
export function readOptions(options: OpenOptions): ReadOptions {
  const one = (name: string | undefined): readonly string[] => (name === undefined ? [] : [name]);
  const lists = {
    '--category': options.category ?? [],
    '--number': options.number ?? [],
    '--drop': options.drop ?? [],
    '--weight': one(options.weight),
    '--offset': one(options.offset),
    '--id': one(options.id),
    '--split-by': one(options.splitBy),
  };
  const chosen = new Map<string, string>();
  for (const [option, names] of Object.entries(lists))
    for (const name of names) {
      const before = chosen.get(name);
      if (before !== undefined && before !== option)
        throw new ParagradError('PARAGRAD_OPTION', `column ${quote(name)} stands in ${before} and in ${option}: choose one`, {
          place: { column: name, option },
        });
      chosen.set(name, option);
    }
  const expected = options.expected ?? new Map<string, ColumnKind>();
  const unexpected = (name: string): boolean => options.expected !== undefined && !expected.has(name) && !chosen.has(name);
  return {
    load: options.load,
    badRows: options.badRows ?? 'error',
    memoryBytes: options.memoryBytes ?? memoryLimitBytes(),
    check(names, source) {
      for (const [name, option] of chosen) if (!names.includes(name)) throw unknownColumn(name, names, source, option);
    },
    // A time that decides the split is read even where it is no feature.
    dropped: (name) => (chosen.get(name) === '--drop' && !options.validationAfter?.startsWith(`${name}=`)) || unexpected(name),
    wanted(name) {
      const option = chosen.get(name);
      return option === undefined ? expected.get(name) : KIND_OF_OPTION[option];
    },
    plain: (name) => name === options.id || name === options.expectedId || name === options.splitBy,
    forcedBy: (name) => (chosen.has(name) ? chosen.get(name) : expected.has(name) ? 'the model' : undefined),
  };
}
