import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { keyText, newKey } from '../../src/communicate/streams/key.ts';
import { hostAndPort } from '../../src/engines/machines/address.ts';
import { readKey, writeNewKey } from '../../src/engines/machines/key-file.ts';
import { Refusals } from '../../src/engines/machines/refusals.ts';
import { checkMachineOptions, machinesOf } from '../../src/run/machine-options.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'paragrad-key-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

describe('keys', () => {
  test('are new files that only their owner can read, and come back as they were', async () => {
    const file = join(folder, 'new.key');
    await writeNewKey(file);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    const key = readKey(file, {});
    expect(`${keyText(key)}\n`).toBe(readFileSync(file, 'utf8'));
    await expect(writeNewKey(file)).rejects.toMatchObject({ code: 'PARAGRAD_OUT_EXISTS' });
    expect(readKey(file, { PARAGRAD_KEY: keyText(newKey()) })).toEqual(key);
    await expect(writeNewKey(join(folder, 'nowhere', 'a.key'))).rejects.toMatchObject({ code: 'PARAGRAD_OUT' });
  });

  test('of the environment', () => {
    const key = newKey();
    expect(readKey(undefined, { PARAGRAD_KEY: keyText(key) })).toEqual(key);
    expect(() => readKey(undefined, {})).toThrow(/the key of the run is missing/u);
  });

  test.each([0o640, 0o604, 0o620])('that others can read or change are refused: mode %o', (mode) => {
    const file = join(folder, `open-${mode}.key`);
    writeFileSync(file, keyText(newKey()));
    chmodSync(file, mode);
    expect(() => readKey(file, {})).toThrow(/can be read by others/u);
  });

  test('that are none are refused, and never repeated', () => {
    const file = join(folder, 'wrong.key');
    fc.assert(
      fc.property(fc.stringMatching(/^[0-9a-z]{10,63}$/u), (text) => {
        writeFileSync(file, text, { mode: 0o600 });
        for (const read of [() => readKey(file, {}), () => readKey(undefined, { PARAGRAD_KEY: text })])
          try {
            read();
            throw new Error('accepted');
          } catch (error) {
            expect(error).toMatchObject({ code: 'PARAGRAD_KEY' });
            expect((error as Error).message).not.toContain(text);
          }
      }),
      { numRuns: 30 },
    );
    expect(() => readKey(join(folder, 'missing.key'), {})).toThrow(/cannot be read/u);
  });
});

test.each([
  ['node-1:80', 'node-1', 80],
  ['node-1', 'node-1', 7461],
  ['10.0.0.1:7000', '10.0.0.1', 7000],
  [':7000', '0.0.0.0', 7000],
  ['[::1]:7000', '::1', 7000],
  ['[::1]', '::1', 7461],
])('the address %s', (text, host, port) => {
  expect(hostAndPort('--bind', text)).toEqual({ kind: 'tls', host, port });
});

test.each(['', ':', 'a:b', 'a:70000', 'a:1:2', 'unix:/tmp/a', '::1'])('no address: %s', (text) => {
  expect(() => hostAndPort('--bind', text)).toThrow(/--bind must be like host:7461/u);
});

test('who is refused again for the same reason is told of once, and a flood ends', () => {
  const told: string[] = [];
  const refusals = new Refusals((text) => told.push(text));
  for (let i = 0; i < 3000; i += 1) refusals.tell(`reason ${i >> 1}`);
  expect(told).toEqual(Array.from({ length: 1000 }, (_, i) => `reason ${i}`));
});

describe('options', () => {
  const keyFile = (): string => {
    const file = join(folder, 'options.key');
    writeFileSync(file, keyText(newKey()), { mode: 0o600 });
    return file;
  };

  test('of machines: hosts by commas and repeated, a key from a file, seconds', () => {
    const options = {
      engine: 'processes',
      workers: 3,
      bind: ':0',
      hosts: ['a:1,b', ' c:2 '],
      keyFile: keyFile(),
      joinTimeoutSeconds: 1.5,
    } as const;
    checkMachineOptions(options);
    const { key, ...rest } = machinesOf(options) ?? {};
    expect(key).toHaveLength(32);
    expect(rest).toEqual({
      bind: { kind: 'tls', host: '0.0.0.0', port: 0 },
      hosts: [
        { kind: 'tls', host: 'a', port: 1 },
        { kind: 'tls', host: 'b', port: 7461 },
        { kind: 'tls', host: 'c', port: 2 },
      ],
      waitMs: 1500,
    });
    expect(machinesOf({})).toBeUndefined();
  });

  test.each([
    [{ engine: 'threads', bind: ':1' }, /--bind is for --engine processes/u],
    [{ engine: 'processes', keyFile: 'a' }, /--key-file is for workers on other machines/u],
    [{ engine: 'processes', hosts: ['a'] }, /--hosts needs --workers/u],
    [{ engine: 'processes', bind: 'a', joinTimeoutSeconds: 0, workers: 1 }, /--join-timeout must be/u],
    [{ engine: 'processes', bind: 'a:b', workers: 1 }, /--bind must be like/u],
  ] as const)('%j are refused', (options, message) => {
    expect(() => checkMachineOptions(options)).toThrow(message);
  });
});
