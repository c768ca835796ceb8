import { notOneOf } from '../data/names.ts';
import { ParagradError } from '../errors.ts';
import type { Engine, EngineName } from './engine.ts';
import { inline } from './inline.ts';
import { processes } from './processes/processes.ts';
import { ray } from './ray/ray.ts';
import { threads } from './threads.ts';

/** All engines by name. A new one is a file and a line here. */
export const ENGINES: Readonly<Record<EngineName, Engine>> = { inline, threads, processes, ray };

/** @throws PARAGRAD_OPTION for an unknown name. */
export function engineOf(name: string): Engine {
  if (Object.hasOwn(ENGINES, name)) return ENGINES[name as EngineName];
  throw new ParagradError('PARAGRAD_OPTION', notOneOf('--engine', name, Object.keys(ENGINES)), {
    place: { option: '--engine' },
  });
}
