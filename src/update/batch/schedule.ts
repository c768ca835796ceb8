/** Learning-rate schedules of mini-batches: the part of the base rate at a step, a function of the step's number alone. */
export type Schedule = 'auto' | 'constant' | 'step' | 'cosine' | 'inverse-sqrt';

export const SCHEDULES: readonly Schedule[] = ['auto', 'constant', 'step', 'cosine', 'inverse-sqrt'];

export interface ScheduleOptions {
  readonly schedule: Schedule;
  /** Epochs over which the rate rises from next to nothing; may be a part of one. */
  readonly warmup: number;
  /** Of the run; read by `cosine`. */
  readonly epochs: number;
}

/** `step` halves the rate after so many epochs, again and again. */
const EPOCHS_PER_STEP = 5;

/** Factor of step `step` (from 0) where an epoch has `batches`. `auto` is constant here: its halvings depend on what epochs brought. */
export function factorAt({ schedule, warmup, epochs }: ScheduleOptions, step: number, batches: number): number {
  const rising = warmup > 0 ? Math.min(1, (step + 1) / Math.max(1, warmup * batches)) : 1;
  return rising * fallen(schedule, step, batches, epochs);
}

function fallen(schedule: Schedule, step: number, batches: number, epochs: number): number {
  if (schedule === 'inverse-sqrt') return 1 / Math.sqrt(1 + step / batches);
  if (schedule === 'cosine') return (1 + cosineOfPi(Math.min(1, step / (epochs * batches)))) / 2;
  let factor = 1;
  if (schedule === 'step') for (let left = Math.floor(step / (EPOCHS_PER_STEP * batches)); left > 0; left -= 1) factor /= 2;
  return factor;
}

const TERMS = 11;
const HALF_PI = 1.5707963267948966;

/** cos(π·t) for t from 0 to 1: 1 − 2·sin²(π·t/2), the sine by its series; the same bits everywhere, which Math.cos does not promise. */
export function cosineOfPi(t: number): number {
  const x = HALF_PI * t;
  let term = x;
  let sine = x;
  for (let k = 1; k < TERMS; k += 1) {
    term *= -(x * x) / (2 * k * (2 * k + 1));
    sine += term;
  }
  return 1 - 2 * sine * sine;
}
