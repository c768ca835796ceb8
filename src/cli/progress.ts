import type { Download } from '../data/spool.ts';
import type { RunEvent } from '../run/types.ts';
import { noteText } from './format/error.ts';
import { INITIAL, type ProgressState, progressAfter, progressLine } from './format/progress.ts';
import { cut } from './format/text.ts';
import { type Terminal, textWidth } from './terminal.ts';

/** At most ten times a second: more is only flicker. */
const REDRAW_MS = 100;
const CLEAR_LINE = '\r\u001b[2K';

/** One line that is drawn again and again, on a terminal; notes above it. Elsewhere only the notes. */
export class LiveProgress {
  readonly #terminal: Terminal;
  readonly #now: () => number;
  readonly #beganMs: number;
  readonly #timer: NodeJS.Timeout | undefined;
  #state: ProgressState = INITIAL;
  #drawnMs = Number.NEGATIVE_INFINITY;
  #drawn = false;

  constructor(terminal: Terminal, now: () => number = () => performance.now()) {
    this.#terminal = terminal;
    this.#now = now;
    this.#beganMs = now();
    if (terminal.err.isTerminal) this.#timer = setInterval(() => this.#draw(), REDRAW_MS).unref();
  }

  readonly onEvent = (event: RunEvent): void => {
    if (event.kind === 'note') this.note(event.text);
    else this.#state = progressAfter(this.#state, event);
    this.#draw();
  };

  /** Rows of a reading that has no events. */
  rows(rows: number): void {
    this.#state = { ...this.#state, phase: 'statistics', rows };
    this.#draw();
  }

  readonly download = (download: Download): void => this.onEvent({ kind: 'download', ...download });

  note(text: string): void {
    this.#clear();
    const { err } = this.#terminal;
    void err.write(noteText(text, err.isTerminal ? textWidth(err) : undefined, err.style));
  }

  /** Takes the line away. */
  end(): void {
    clearInterval(this.#timer);
    this.#clear();
  }

  #draw(): void {
    const { err } = this.#terminal;
    const now = this.#now();
    if (!err.isTerminal || now - this.#drawnMs < REDRAW_MS) return;
    this.#drawnMs = now;
    this.#drawn = true;
    const line = cut(progressLine(this.#state, now - this.#beganMs), (err.columns ?? 80) - 1);
    void err.write(`${CLEAR_LINE}${err.style.dim(line)}`);
  }

  #clear(): void {
    if (!this.#drawn) return;
    this.#drawn = false;
    void this.#terminal.err.write(CLEAR_LINE);
  }
}
