import type { DatasetDescription, DatasetSummary } from '../../run/dataset.ts';
import type { PrepareSummary } from '../../run/prepare.ts';
import { bytes, count, seconds } from './numbers.ts';
import type { Style } from './style.ts';
import { section, table } from './table.ts';
import { clean, plural, shellWord } from './text.ts';
import { dataSection } from './train-result.ts';

function datasetSection(summary: DatasetSummary, more: readonly string[][], style: Style): string[] {
  const { path, id, dtype, chunkRows, chunks, shards, bytes: size } = summary;
  const rows = [
    ['folder', clean(path)],
    [
      'size',
      `${bytes(size)}${style.dim(`  ${dtype}, ${plural(chunks, 'chunk')} of ${count(chunkRows)} rows, ${plural(shards, 'shard')}`)}`,
    ],
    ['id', style.dim(`${id.slice(0, 16)}…`)],
    ...more,
  ];
  return section('Dataset', '', table([{}, {}], rows, style), style);
}

/** What `paragrad prepare` prints. @param command how the program was started: `paragrad` */
export function prepareResult(summary: PrepareSummary, style: Style, command: string): string {
  const { total, read, encode } = summary.seconds;
  const rest = Math.max(0, total - read - encode);
  const time = `${seconds(total)}${style.dim(`  read ${seconds(read)}, encode ${seconds(encode)}, the rest ${seconds(rest)}`)}`;
  const next = ['', `Next: ${style.bold(`${command} train ${shellWord(summary.path)}`)}`];
  return [...dataSection(summary.schema, style), ...datasetSection(summary, [['time', time]], style), ...next].slice(1).join('\n');
}

/** What `paragrad inspect DATASET` prints. */
export function datasetResult(description: DatasetDescription, style: Style): string {
  const { verified } = description;
  const intact =
    verified === null
      ? style.dim('not read; --verify does')
      : `yes${style.dim(`  ${plural(verified.chunks, 'chunk')} and ${plural(verified.rows, 'row')} read and checked`)}`;
  return [...dataSection(description.schema, style), ...datasetSection(description, [['intact', intact]], style)].slice(1).join('\n');
}
