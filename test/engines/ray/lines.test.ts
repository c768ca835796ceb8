import { PassThrough } from 'node:stream';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { newKey, parseKey } from '../../../src/communicate/streams/key.ts';
import type { Launched } from '../../../src/engines/processes/launcher.ts';
import { ActorLauncher } from '../../../src/engines/ray/coordinator/actors.ts';
import { linesOf, MessageReader } from '../../../src/engines/ray/lines.ts';

function readAll(lines: readonly string[]): { messages: unknown[]; others: string[] } {
  const messages: unknown[] = [];
  const others: string[] = [];
  const reader = new MessageReader<unknown>(
    (message) => messages.push(message),
    (line) => others.push(line),
  );
  for (const line of lines) reader.push(line);
  return { messages, others };
}

const long = { kind: 'outcome', weights: Float64Array.from({ length: 5000 }, (_, i) => i / 7), nothing: undefined, nan: Number.NaN };

describe('messages in a log', () => {
  it('come back whole, among whatever else is written', () => {
    const message = fc.record({ text: fc.string(), numbers: fc.float64Array({ maxLength: 2000 }) });
    fc.assert(
      fc.property(fc.array(message, { maxLength: 4 }), fc.string(), (sent, noise) => {
        const other = `~${noise.replaceAll('\n', '')}`;
        const lines = sent.flatMap((each, number) => linesOf(number, each)).flatMap((line) => [line, other]);
        const { messages, others } = readAll(lines);
        expect(messages).toEqual(sent);
        expect(others).toEqual(lines.filter((line) => line === other));
      }),
      { numRuns: 50 },
    );
  });

  it('fit into short lines', () => {
    const lines = linesOf(3, long);
    expect(lines.length).toBeGreaterThan(5);
    for (const line of lines) expect(line.length).toBeLessThan(8192);
  });

  it('are told once, when all of their lines came, and never when one is missing or damaged', () => {
    const lines = linesOf(0, long);
    expect(readAll([...lines, ...lines]).messages).toEqual([long]);
    expect(readAll(lines.toSpliced(2, 1)).messages).toEqual([]);
    expect(readAll([...lines.slice(0, 3), ...lines]).messages).toEqual([long]);
    const damaged = lines.map((line, i) => (i === 2 ? `${line.slice(0, -8)}AAAAAAAA` : line));
    expect(readAll(damaged).messages).toEqual([]);
    expect(readAll([...damaged, ...linesOf(1, 'next')]).messages).toEqual(['next']);
  });
});

describe('workers in actors', () => {
  const invitation = (rank: number, attempt: number) =>
    ({
      control: { kind: 'tls', host: 'head', port: 1 },
      rank,
      attempt,
      own: { kind: 'tls', host: '0.0.0.0', port: 0 },
      pulseMs: 500,
    }) as const;

  it('are asked for by lines, and are gone when a line says so', async () => {
    const input = new PassThrough();
    const output = new PassThrough().setEncoding('utf8');
    const launcher = new ActorLauncher('10.0.0.1', input, output);
    const { control, isRemote, key } = await launcher.open();
    expect(control).toEqual({ kind: 'tls', host: '10.0.0.1', port: 0 });
    expect(isRemote).toBe(true);
    expect(key).toHaveLength(32);
    const start = (attempt: number): Launched => launcher.start(invitation(1, attempt), key, undefined, 'needed') as Launched;
    const first = start(0);
    const second = start(1);
    const lines = String(output.read()).trim().split('\n');
    const asked = JSON.parse((lines[0] as string).replace('@start ', '')) as { rank: number; attempt: number; key: string };
    expect(asked).toMatchObject({ rank: 1, attempt: 0, invitation: invitation(1, 0), spare: false });
    expect(parseKey(asked.key)).toEqual(key);
    first.kill();
    expect(output.read()).toBe('@kill {"rank":1,"attempt":0}\n');
    // In pieces, as a pipe gives them.
    input.write('{"what": "gone", "rank": 1, "attempt": 1, "how": "ended"}\n{"what": "gone", "rank": 1, "att');
    expect(await second.gone).toBe('ended');
    input.write('empt": 0, "how": "was ended by SIGKILL"}\n');
    expect(await first.gone).toBe('was ended by SIGKILL');
    expect(newKey()).not.toEqual(key);
  });

  describe('that may wait for a node', () => {
    const spare = async (signal: AbortSignal): Promise<{ input: PassThrough; output: PassThrough; launched: Promise<Launched> }> => {
      const input = new PassThrough();
      const output = new PassThrough().setEncoding('utf8');
      const launcher = new ActorLauncher('10.0.0.1', input, output);
      const { key } = await launcher.open();
      return { input, output, launched: Promise.resolve(launcher.start(invitation(2, 0), key, signal, 'spare')) };
    };
    const { signal } = new AbortController();

    it('are started when they have one', async () => {
      const { input, output, launched } = await spare(signal);
      let isStarted = false;
      void launched.then(() => {
        isStarted = true;
      });
      expect(String(output.read())).toContain('"spare":true');
      await new Promise((resolve) => setImmediate(resolve));
      expect(isStarted).toBe(false);
      input.write('{"what": "placed", "rank": 2, "attempt": 0}\n');
      const { gone } = await launched;
      input.write('{"what": "gone", "rank": 2, "attempt": 0, "how": "ended"}\n');
      expect(await gone).toBe('ended');
    });

    it('are refused where none can run', async () => {
      const { input, launched } = await spare(signal);
      input.write('{"what": "gone", "rank": 2, "attempt": 0, "code": "PARAGRAD_RAY_NODE", "how": "n1 has no Node.js"}\n');
      await expect(launched).rejects.toMatchObject({ code: 'PARAGRAD_RAY_NODE', message: 'n1 has no Node.js' });
    });

    it('are waited for no longer than they are wanted', async () => {
      const controller = new AbortController();
      const { output, launched } = await spare(controller.signal);
      output.read();
      controller.abort(new Error('over'));
      await expect(launched).rejects.toThrow('over');
      expect(output.read()).toBe('@cancel {"rank":2}\n');
    });
  });
});
