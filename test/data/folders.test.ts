import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { makeFolder, makeTempFolder } from '../../src/data/folders.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'paragrad-folders-'));
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true });
});

describe('a folder', () => {
  test('is made with those above it, once, with the mode', () => {
    expect(makeFolder(join(folder, 'a/b'), 0o700)).toBe(true);
    expect(statSync(join(folder, 'a/b')).mode & 0o777).toBe(0o700);
    expect(makeFolder(join(folder, 'a/b'))).toBe(false);
  });
  test('is an error where a file is, or above it', () => {
    writeFileSync(join(folder, 'file'), '');
    expect(() => makeFolder(join(folder, 'file'))).toThrow('EEXIST');
    expect(() => makeFolder(join(folder, 'file/below'))).toThrow('ENOTDIR');
  });
  // There Node's own recursive mkdir never returns.
  test.runIf(existsSync('/proc/self'))('is an error where no folder can be', () => {
    expect(() => makeFolder('/proc/paragrad/below')).toThrow('ENOENT');
  });
});

describe('a temporary folder', () => {
  test('is for its owner alone', () => {
    vi.stubEnv('TMPDIR', folder);
    const made = makeTempFolder('paragrad-');
    expect(made.startsWith(join(folder, 'paragrad-'))).toBe(true);
    expect(statSync(made).mode & 0o777).toBe(0o700);
  });
  test('that cannot be made is an error of the user’s machine', () => {
    vi.stubEnv('TMPDIR', join(folder, 'missing'));
    expect(() => makeTempFolder('paragrad-')).toThrow(expect.objectContaining({ code: 'PARAGRAD_FILE' }));
  });
});
