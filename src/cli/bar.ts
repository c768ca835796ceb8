import { seconds } from './format/numbers.ts';
import { cut } from './format/text.ts';
import type { Terminal } from './terminal.ts';

const REDRAW_MS = 100;
const CLEAR_LINE = '\r\u001b[2K';
const CELLS = 24;

/** A bar for work whose end is known: drawn again and again on a terminal, nothing elsewhere. */
export class Bar {
  readonly #terminal: Terminal;
  readonly #title: string;
  readonly #now: () => number;
  readonly #beganMs: number;
  readonly #timer: NodeJS.Timeout | undefined;
  #text = '';
  #done = 0;

  constructor(terminal: Terminal, title: string, now: () => number = () => performance.now()) {
    this.#terminal = terminal;
    this.#title = title;
    this.#now = now;
    this.#beganMs = now();
    if (terminal.err.isTerminal) this.#timer = setInterval(() => this.#draw(), REDRAW_MS).unref();
  }

  /** @param done 0 to 1; a bar never goes back */
  set(text: string, done: number): void {
    this.#text = text;
    this.#done = Math.max(this.#done, Math.min(1, done));
    this.#draw();
  }

  get elapsedMs(): number {
    return this.#now() - this.#beganMs;
  }

  /** Takes the line away. */
  end(): void {
    clearInterval(this.#timer);
    if (this.#terminal.err.isTerminal) void this.#terminal.err.write(CLEAR_LINE);
  }

  #draw(): void {
    const { err } = this.#terminal;
    if (!err.isTerminal) return;
    const line = barLine(this.#title, this.#done, this.#text, this.elapsedMs);
    void err.write(`${CLEAR_LINE}${err.style.dim(cut(line, (err.columns ?? 80) - 1))}`);
  }
}

/** `installing Ray 2.60.0  ━━━━━━━━━━────────   45 %  12 s  downloading grpcio` */
export function barLine(title: string, done: number, text: string, elapsedMs: number): string {
  const full = Math.floor(done * CELLS);
  const percent = String(Math.floor(done * 100)).padStart(3);
  return `${title}  ${'━'.repeat(full)}${'─'.repeat(CELLS - full)} ${percent} %  ${seconds(elapsedMs / 1000)}  ${text}`;
}
