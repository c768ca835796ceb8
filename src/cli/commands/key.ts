import { writeNewKey } from '../../engines/machines/key-file.ts';
import type { KeyFlags } from '../flags.ts';
import { json } from '../format/json.ts';
import { clean } from '../format/text.ts';
import type { Terminal } from '../terminal.ts';

/** `paragrad key FILE`. @returns the exit code */
export async function keyCommand(file: string, flags: KeyFlags, { out }: Terminal): Promise<number> {
  await writeNewKey(file);
  const text = `A new key is in ${out.style.bold(clean(file))}: only you can read it. Whoever has it may join your runs, and see your data.\n`;
  await out.write(flags.json === true ? json({ file }) : text);
  return 0;
}
