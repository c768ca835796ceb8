import { ParagradError } from '../errors.ts';
import { expandPattern, isPattern } from './glob.ts';
import { compareUtf8, listOf } from './names.ts';
import { type FileHead, readHead } from './open-file.ts';
import { isAddress } from './source/location.ts';
import { shown } from './source/shown.ts';
import { type DownloadOptions, type Spooled, spool, spoolAddress } from './spool.ts';
import type { TableSource } from './table.ts';

export type { TableSource };

/** Files that are one table, in bytewise order of their names. */
export interface SourceFiles {
  /** For messages: the path or pattern that was given, or the first file and how many more. */
  readonly label: string;
  readonly files: readonly [FileHead, ...FileHead[]];
}

/** Is it files, and not arrays? */
export function isTableSource(source: unknown): source is TableSource {
  return typeof source === 'string' || Array.isArray(source);
}

/** The source as people would name it. */
export function labelOf(source: TableSource): string {
  if (typeof source === 'string') return source === '-' ? 'standard input' : shown(source);
  return source.length === 1 ? labelOf(source[0] as string) : `${labelOf(source[0] as string)} and ${source.length - 1} more`;
}

/** Whether a source is gone, or costs a way to a server, when it has been read: it is not looked at twice. */
export function isReadOnce(source: TableSource): boolean {
  return [source].flat().some((each) => each === '-' || isAddress(each));
}

/**
 * Finds the files of a source and reads their heads; what is at an address is copied to a temporary file until `release`.
 *
 * @throws PARAGRAD_FILE when one is missing, a folder, empty or unreadable, or a pattern means no file; PARAGRAD_REMOTE
 */
export async function findFiles(source: TableSource, options: DownloadOptions = {}): Promise<SourceFiles & { release(): void }> {
  const given = typeof source === 'string' ? [source] : [...new Set(source)];
  if (given.length === 0) throw new ParagradError('PARAGRAD_FILE', 'no file is given');
  if (given.length > 1 && given.includes('-'))
    throw new ParagradError('PARAGRAD_FILE', 'standard input (-) cannot be mixed with files', { place: { file: '-' } });
  const paths = new Set<string>();
  for (const each of given) {
    const found = !isAddress(each) && isPattern(each) ? await expandPattern(each) : [each];
    if (found.length === 0) throw new ParagradError('PARAGRAD_FILE', `${each} means no file`, { place: { file: each } });
    for (const path of found) paths.add(path);
  }
  const copies: Spooled[] = [];
  const release = (): void => {
    for (const copy of copies) copy.release();
  };
  try {
    const files: FileHead[] = [];
    for (const path of [...paths].sort(compareUtf8)) {
      const copy = path === '-' ? await spool(process.stdin) : isAddress(path) ? await spoolAddress(path, options) : undefined;
      if (copy !== undefined) copies.push(copy);
      files.push(await (copy === undefined ? readHead(path) : readHead(copy.path, labelOf(path))));
    }
    return { label: labelOf(given), files: files as unknown as SourceFiles['files'], release };
  } catch (error) {
    release();
    throw error;
  }
}

/** @throws PARAGRAD_DATA when a file has other columns than the first one */
export function checkSameColumns(
  first: { label: string; names: readonly string[] },
  other: { label: string; names: readonly string[] },
): void {
  const fail = (why: string): never => {
    throw new ParagradError('PARAGRAD_DATA', `${other.label} ${why}: files that are one table have the same columns`, {
      place: { file: other.label },
    });
  };
  const lacking = first.names.filter((name) => !other.names.includes(name));
  const extra = other.names.filter((name) => !first.names.includes(name));
  if (lacking.length > 0) fail(`lacks ${listOf(lacking, 3)}, which ${first.label} has`);
  if (extra.length > 0) fail(`has ${listOf(extra, 3)}, which ${first.label} lacks`);
  const moved = first.names.findIndex((name, i) => other.names[i] !== name);
  if (moved >= 0) fail(`has its columns in another order than ${first.label}, from ${listOf([first.names[moved] as string])} on`);
}
