import type { EngineOptions } from '../engines/engine.ts';
import { hostAndPort } from '../engines/machines/address.ts';
import { readKey } from '../engines/machines/key-file.ts';
import { ParagradError } from '../errors.ts';
import type { TrainOptions } from './train-options.ts';

/** Options of workers on machines that the user starts: what they may be, and what the engine makes of them. */
export const OF_MACHINES = ['bind', 'hosts', 'keyFile', 'joinTimeoutSeconds'] as const;
const FLAGS: Readonly<Record<(typeof OF_MACHINES)[number], string>> = {
  bind: '--bind',
  hosts: '--hosts',
  keyFile: '--key-file',
  joinTimeoutSeconds: '--join-timeout',
};
const LONGEST_SECONDS = 7 * 86_400;

export type MachineChoices = Pick<TrainOptions, (typeof OF_MACHINES)[number] | 'engine' | 'workers'>;

function wrong(option: string, message: string): ParagradError {
  return new ParagradError('PARAGRAD_OPTION', message, { place: { option } });
}

/** @throws PARAGRAD_OPTION; PARAGRAD_KEY where there is none */
export function checkMachineOptions(options: MachineChoices): void {
  const { bind, hosts, joinTimeoutSeconds, engine, workers } = options;
  const [first] = OF_MACHINES.filter((name) => options[name] !== undefined);
  if (first === undefined) return;
  if (engine !== 'processes') throw wrong(FLAGS[first], `${FLAGS[first]} is for --engine processes: add that, or leave it out`);
  if (bind === undefined && hosts === undefined)
    throw wrong(FLAGS[first], `${FLAGS[first]} is for workers on other machines: add --bind or --hosts, or leave it out`);
  if (workers === undefined)
    throw wrong(
      '--workers',
      `${bind === undefined ? '--hosts' : '--bind'} needs --workers: how many there shall be on all machines together`,
    );
  if (joinTimeoutSeconds !== undefined && !(joinTimeoutSeconds > 0 && joinTimeoutSeconds <= LONGEST_SECONDS))
    throw wrong('--join-timeout', `--join-timeout must be a time above 0 and of at most a week, not ${joinTimeoutSeconds}`);
  machinesOf(options);
}

/** @throws what `checkMachineOptions` does */
export function machinesOf({ bind, hosts, keyFile, joinTimeoutSeconds }: MachineChoices): EngineOptions['machines'] {
  if (bind === undefined && hosts === undefined) return undefined;
  const texts = (hosts ?? []).flatMap((text) => text.split(',')).map((text) => text.trim());
  return {
    bind: bind === undefined ? undefined : hostAndPort('--bind', bind),
    hosts: texts.filter((text) => text !== '').map((text) => hostAndPort('--hosts', text)),
    key: readKey(keyFile),
    waitMs: joinTimeoutSeconds === undefined ? undefined : joinTimeoutSeconds * 1000,
  };
}
