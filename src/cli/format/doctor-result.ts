import type { Check, Diagnosis } from '../../run/doctor/doctor.ts';
import type { Style } from './style.ts';
import { table } from './table.ts';
import { clean } from './text.ts';

const MARKS: Readonly<Record<Check['status'], string>> = { ok: '✓', warning: '!', failed: '✗' };

/** What `paragrad doctor` prints. @param version of paragrad */
export function doctorResult(diagnosis: Diagnosis, style: Style, version: string): string {
  const { checks, cpu, platform, ok, numericsVersion } = diagnosis;
  const mark = ({ status }: Check): string => (status === 'failed' ? style.red(MARKS[status]) : MARKS[status]);
  const lines = table(
    [{}, {}, {}, {}],
    checks.map((check) => [mark(check), check.name, clean(check.found), style.dim(clean(check.remark))]),
    style,
  );
  const head = `${style.bold(`paragrad ${version}`)}  ${style.dim(clean(`${platform}, ${cpu}; numerics version ${numericsVersion}`))}`;
  return [head, ...lines, ...(ok ? [] : ['', style.red('Something is wrong: see the lines with ✗')])].join('\n');
}
