import { describe, expect, it } from 'vitest';
import { INITIAL, progressAfter, progressLine } from '../../src/cli/format/progress.ts';
import { widthOf } from '../../src/cli/format/text.ts';
import { LiveProgress } from '../../src/cli/progress.ts';
import type { RunEvent } from '../../src/run/types.ts';
import { fakeTerminal } from './fake-terminal.ts';
import { PLAN, SCHEMA } from './summaries.ts';

const step = (passes: number, atMs: number) => ({
  iteration: passes,
  passes,
  objective: 31,
  nullLoss: 100,
  gap: 23,
  gradientNorm: 1,
  atMs,
});
const EVENTS: RunEvent[] = [
  { kind: 'reading', part: 'statistics', rows: 65_536 },
  { kind: 'reading', part: 'encode', rows: 1_000_000 },
  { kind: 'schema', schema: SCHEMA },
  { kind: 'plan', plan: { ...PLAN, rows: 1_000_000, shares: [{ ...(PLAN.shares[0] as (typeof PLAN.shares)[number]), bytes: 4e8 }] } },
  { kind: 'steps', steps: [step(1, 100), step(10, 500)] },
  { kind: 'steps', steps: [] },
];

it('shows phase and rows, then pass, loss, gap, speed and time', () => {
  let state = INITIAL;
  const lines = [progressLine(state, 0)];
  for (const event of EVENTS) {
    state = progressAfter(state, event);
    lines.push(progressLine(state, 2500));
  }
  expect(lines).toEqual([
    'opening   0.0 ms',
    'reading   65,536 rows   2.50 s',
    'encoding   1,000,000 rows   2.50 s',
    'encoding   1,000,000 rows   2.50 s',
    'training   starting   2.50 s',
    'training   pass 10   loss 31.0000   gap 25.0 %   20.0 M rows/s   8.0 GB/s   2.50 s',
    'training   pass 10   loss 31.0000   gap 25.0 %   20.0 M rows/s   8.0 GB/s   2.50 s',
  ]);
});

describe('on a terminal', () => {
  it('draws at most ten times a second, in one line that fits, and takes it away', () => {
    let now = 0;
    const terminal = fakeTerminal({ live: true, columns: 30 });
    const progress = new LiveProgress(terminal, () => now);
    for (; now < 1000; now += 10) progress.onEvent({ kind: 'reading', part: 'statistics', rows: now * 1_000_000 });
    progress.end();
    const drawn = terminal.texts.err.split('\r\u001b[2K').slice(1);
    expect(drawn).toHaveLength(11);
    expect(drawn.at(-1)).toBe('');
    expect(drawn[9]).toBe('reading   900,000,000 rows  …');
    for (const line of drawn) expect(widthOf(line)).toBeLessThan(31);
    expect(terminal.texts.out).toBe('');
  });

  it('has notes above the line', () => {
    const terminal = fakeTerminal({ live: true });
    const progress = new LiveProgress(terminal, () => 0);
    progress.rows(1);
    progress.note('hello');
    progress.end();
    expect(terminal.texts.err).toBe('\r\u001b[2Kreading   1 row   0.0 ms\r\u001b[2Knote: hello\n');
  });
});

it('is quiet elsewhere, notes excepted', () => {
  const terminal = fakeTerminal();
  const progress = new LiveProgress(terminal);
  for (const event of EVENTS) progress.onEvent(event);
  progress.onEvent({ kind: 'note', text: 'a remark' });
  progress.end();
  expect(terminal.texts).toEqual({ out: '', err: 'note: a remark\n' });
});
