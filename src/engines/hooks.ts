import type { EngineHooks } from './engine.ts';

/**
 * Hooks that may throw. Thrown from a message's handler nobody could catch it: the first error ends the run at its next step, so
 * that every worker has answered, and is thrown then.
 */
export class GuardedHooks implements EngineHooks {
  readonly onSteps: NonNullable<EngineHooks['onSteps']>;
  readonly onCheckpoint: NonNullable<EngineHooks['onCheckpoint']>;
  readonly onNote: NonNullable<EngineHooks['onNote']>;
  #thrown: { readonly error: unknown } | undefined;

  constructor(hooks: EngineHooks, end: () => void) {
    const guard = <T>(hook: ((value: T) => void) | undefined, value: T): void => {
      if (this.#thrown !== undefined) return;
      try {
        hook?.(value);
      } catch (error) {
        this.#thrown = { error };
        end();
      }
    };
    this.onSteps = (steps) => guard(hooks.onSteps, steps);
    this.onCheckpoint = (checkpoint) => guard(hooks.onCheckpoint, checkpoint);
    this.onNote = (text) => guard(hooks.onNote, text);
  }

  rethrow(): void {
    if (this.#thrown !== undefined) throw this.#thrown.error;
  }
}
