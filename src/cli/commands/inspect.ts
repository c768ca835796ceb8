import { statSync } from 'node:fs';
import { labelOf, type TableSource } from '../../data/source-files.ts';
import { ParagradError } from '../../errors.ts';
import type { InspectFlags } from '../flags.ts';
import { datasetResult } from '../format/dataset-result.ts';
import { inspectResult } from '../format/inspect-result.ts';
import { json } from '../format/json.ts';
import { clean, plural } from '../format/text.ts';
import { modelResult } from '../format/train-result.ts';
import { interruptible } from '../interrupt.ts';
import { LiveProgress } from '../progress.ts';
import { type Terminal, textWidth } from '../terminal.ts';
import { checkFree } from './files.ts';

const dashed = (name: string): string => `--${name.replace(/[A-Z]/gu, (letter) => `-${letter.toLowerCase()}`)}`;

/** `paragrad inspect`: a folder is a dataset or a model, anything else is data. @returns the exit code */
export async function inspectCommand(source: TableSource, flags: InspectFlags, terminal: Terminal): Promise<number> {
  const { json: asJson = false, force, verify = false, coefficients, report, ...options } = flags;
  const { out } = terminal;
  // One path may be a folder; several are files.
  const path = typeof source === 'string' ? source : '';
  const { isDataset } = await import('../../data/dataset/read.ts');
  const dataset = path !== '' && (await isDataset(path));
  const model = !dataset && statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
  const forModels = coefficients !== undefined ? '--coefficients' : report !== undefined ? '--report' : undefined;
  if (forModels !== undefined && !model)
    throw new ParagradError('PARAGRAD_OPTION', `${forModels} is for model folders, and ${labelOf(source)} is none`, {
      place: { option: forModels },
    });
  const forTables = Object.entries(options).find(
    ([name, value]) => value !== undefined && !(name === 'standardize' && value === true),
  )?.[0];
  if ((dataset || model) && forTables !== undefined) {
    const option = forTables === 'standardize' ? '--no-standardize' : dashed(forTables);
    throw new ParagradError('PARAGRAD_OPTION', `${option} is for tables, and ${labelOf(source)} is a ${dataset ? 'dataset ' : ''}folder`, {
      place: { option },
    });
  }
  if (dataset) return inspectDatasetCommand(path, flags, terminal);
  if (verify)
    throw new ParagradError('PARAGRAD_OPTION', `--verify is for dataset folders, and ${labelOf(source)} is none`, {
      place: { option: '--verify' },
    });
  if (model) return inspectModelCommand(path, flags, terminal);
  if (options.encoded !== undefined) checkFree(options.encoded, '--encoded', force);
  const progress = new LiveProgress(terminal);
  try {
    const { inspectData } = await import('../../run/inspect.ts');
    const description = await interruptible(
      (signal) => inspectData(source, { ...options, signal, onDownload: progress.download }),
      () => progress.note('interrupted'),
    );
    progress.end();
    await out.write(asJson ? json(description) : `${inspectResult(description, out.style, textWidth(out))}\n`);
    return 0;
  } finally {
    progress.end();
  }
}

async function inspectDatasetCommand(path: string, flags: InspectFlags, terminal: Terminal): Promise<number> {
  const { json: asJson = false, verify = false } = flags;
  const { out } = terminal;
  const progress = new LiveProgress(terminal);
  try {
    const { inspectDataset } = await import('../../run/dataset.ts');
    const description = await interruptible(
      (signal) => inspectDataset(path, { verify, signal, onRows: (rows) => progress.rows(rows) }),
      () => progress.note('interrupted'),
    );
    progress.end();
    await out.write(asJson ? json(description) : `${datasetResult(description, out.style)}\n`);
    return 0;
  } finally {
    progress.end();
  }
}

async function inspectModelCommand(path: string, flags: InspectFlags, { out }: Terminal): Promise<number> {
  const { coefficients, report, force, json: asJson } = flags;
  const { checkOutFile } = await import('../../run/out-paths.ts');
  for (const [option, file] of Object.entries({ '--coefficients': coefficients, '--report': report }))
    if (file !== undefined) {
      checkFree(file, option, force);
      await checkOutFile(file, option, [path]);
    }
  const { loadModel } = await import('../../run/model-folder.ts');
  const model = await loadModel(path);
  const lines: string[] = [];
  if (coefficients !== undefined) {
    const { writeCoefficients } = await import('../../run/coefficients-file.ts');
    const written = await writeCoefficients(model, coefficients);
    lines.push(`${plural(written.coefficients, 'coefficient')} saved in ${out.style.bold(clean(coefficients))}`);
  }
  if (report !== undefined) {
    const { writeReport } = await import('../../run/report/report.ts');
    await writeReport(path, report);
    lines.push(`Report saved in ${out.style.bold(clean(report))}`);
  }
  const text = [modelResult(model.summary, out.style), ...(lines.length === 0 ? [] : ['', ...lines])];
  await out.write(asJson === true ? json(model.summary) : `${text.join('\n')}\n`);
  return 0;
}
