import { Writable } from 'node:stream';
import { PLAIN } from '../../src/cli/format/style.ts';
import type { Stream, Terminal } from '../../src/cli/terminal.ts';

export interface FakeTerminal extends Terminal {
  readonly err: { -readonly [K in keyof Stream]: Stream[K] };
  readonly texts: { out: string; err: string };
}

/** A terminal that keeps what is written to it. */
export function fakeTerminal(options: { live?: boolean; columns?: number; env?: Record<string, string> } = {}): FakeTerminal {
  const texts = { out: '', err: '' };
  const stream = (name: 'out' | 'err'): Stream => {
    const add = (text: string): void => {
      texts[name] += text;
    };
    return {
      isTerminal: options.live ?? false,
      columns: options.live === true ? (options.columns ?? 80) : undefined,
      style: PLAIN,
      writable: new Writable({
        write(chunk, _encoding, done) {
          add(String(chunk));
          done();
        },
      }),
      write: async (text) => add(text),
    };
  };
  return { out: stream('out'), err: stream('err'), env: options.env ?? {}, version: '1.2.3', command: 'paragrad', texts };
}
