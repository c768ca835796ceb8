import { ParagradError } from '../../errors.ts';

/** What can be wrong with a dataset folder: each has its code and says what to do. */
const AGAIN = 'copy the dataset again, or run prepare again';

export function notADataset(folder: string, why: string, cause?: unknown): ParagradError {
  return new ParagradError('PARAGRAD_DATASET_FOLDER', `${folder} is not a dataset folder: ${why}`, { place: { file: folder }, cause });
}

export function damaged(path: string, why: string, cause?: unknown): ParagradError {
  return new ParagradError('PARAGRAD_DATASET_FILE', `${path} ${why}: ${AGAIN}`, { place: { file: path }, cause });
}

export function missingFile(path: string, error: NodeJS.ErrnoException): ParagradError {
  return damaged(
    path,
    error.code === 'ENOENT' || error.code === 'PARAGRAD_FILE'
      ? 'is missing: the dataset is not whole'
      : `cannot be opened (${error.message})`,
    error,
  );
}

export function mixed(path: string, other: string, own: string): ParagradError {
  return new ParagradError(
    'PARAGRAD_DATASET_MIXED',
    `${path} belongs to another dataset (${other.slice(0, 12)}…, the manifest is of ${own.slice(0, 12)}…): two datasets were mixed in one folder`,
    { place: { file: path } },
  );
}

export function newer(path: string, what: string, found: unknown, known: number): ParagradError {
  const old = typeof found === 'number' && found < known;
  return new ParagradError(
    'PARAGRAD_DATASET_VERSION',
    `${path} has ${what} ${String(found)}; this version reads ${known}: ${old ? 'run prepare again' : 'update paragrad, or run prepare again'}`,
    { place: { file: path } },
  );
}

/** Parts that are intact each for itself, and do not fit together. */
export function inconsistent({ folder }: { readonly folder: string }, why: string): ParagradError {
  return damaged(folder, why);
}
