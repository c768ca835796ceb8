/** More different ones than this are a flood, and not worth a log. */
const MOST = 1000;

/** Says of everybody who was refused why, once: who knocks again and again must not fill a log. */
export class Refusals {
  readonly #log: (text: string) => void;
  readonly #told = new Set<string>();

  constructor(log: (text: string) => void) {
    this.#log = log;
  }

  tell(text: string): void {
    if (this.#told.has(text) || this.#told.size >= MOST) return;
    this.#told.add(text);
    this.#log(text);
  }
}
