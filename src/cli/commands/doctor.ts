import type { DoctorFlags } from '../flags.ts';
import { doctorResult } from '../format/doctor-result.ts';
import { json } from '../format/json.ts';
import type { Terminal } from '../terminal.ts';

/** `paragrad doctor`. @returns the exit code: 1 when a check failed */
export async function doctorCommand(flags: DoctorFlags, terminal: Terminal): Promise<number> {
  const { doctor } = await import('../../run/doctor/doctor.ts');
  const diagnosis = await doctor();
  const { out, version } = terminal;
  await out.write(flags.json === true ? json({ version, ...diagnosis }) : `${doctorResult(diagnosis, out.style, version)}\n`);
  return diagnosis.ok ? 0 : 1;
}
