import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { findToken, parseRayAddress } from '../../../src/engines/ray/address.ts';
import { ParagradError } from '../../../src/errors.ts';

const folder = mkdtempSync(join(tmpdir(), 'paragrad-token-'));
afterAll(() => rmSync(folder, { recursive: true }));

function thrown(work: () => unknown): ParagradError {
  try {
    work();
  } catch (error) {
    if (error instanceof ParagradError) return error;
  }
  throw new Error('no ParagradError');
}

describe('the address of a cluster', () => {
  it.each([
    ['http://head:8265', 'http://head:8265'],
    ['http://head:8265/', 'http://head:8265'],
    ['head:8265', 'http://head:8265'],
    ['https://ray.example.org', 'https://ray.example.org'],
    ['https://example.org/ray/', 'https://example.org/ray'],
    ['http://[::1]:8265', 'http://[::1]:8265'],
  ])('%s', (text, url) => {
    expect(parseRayAddress(text)).toBe(url);
  });

  it.each([
    ['', /write http/],
    ['ray://head:10001', /Python client/],
    ['ftp://head', /http:\/\/ or https:\/\//],
    ['http://me:secret@head:8265', /RAY_AUTH_TOKEN/],
    ['http://head:8265?token=a', /ends after the port/],
    ['head:6379', /port 6379 is for/],
    ['http://', /write http/],
  ])('not %j', (text, message) => {
    const error = thrown(() => parseRayAddress(text));
    expect(error.code).toBe('PARAGRAD_RAY_ADDRESS');
    expect(error.message).toMatch(message);
  });
});

describe('the token of a cluster', () => {
  const file = join(folder, 'token');
  writeFileSync(file, ' abc123\n');

  it('is found where Ray’s own tools find it', () => {
    expect(findToken(undefined, { RAY_AUTH_TOKEN: 'direct ', RAY_AUTH_TOKEN_PATH: file })).toBe('direct');
    expect(findToken(undefined, { RAY_AUTH_TOKEN_PATH: file })).toBe('abc123');
    expect(findToken(file, { RAY_AUTH_TOKEN: 'direct' })).toBe('abc123');
  });

  it('is one word, and never part of a message', () => {
    const bad = join(folder, 'bad');
    writeFileSync(bad, 'hush\r\nX-Evil: 1');
    for (const work of [() => findToken(bad, {}), () => findToken(undefined, { RAY_AUTH_TOKEN: 'hush hush' })]) {
      const error = thrown(work);
      expect(error.code).toBe('PARAGRAD_RAY_TOKEN');
      expect(error.message).not.toContain('hush');
    }
  });

  it('must be in the file that was named', () => {
    expect(thrown(() => findToken(join(folder, 'none'), {}))).toMatchObject({
      code: 'PARAGRAD_RAY_TOKEN',
      place: { file: join(folder, 'none') },
    });
  });
});
