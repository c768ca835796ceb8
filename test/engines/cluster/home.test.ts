import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { cacheFolder } from '../../../src/engines/cache-folder.ts';
import { ClusterHome } from '../../../src/engines/cluster/home.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'paragrad-home-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

describe('the cache folder', () => {
  it('is the user’s, or the system’s usual one', () => {
    expect(cacheFolder({ PARAGRAD_CACHE: '/a', XDG_CACHE_HOME: '/b' })).toBe('/a');
    expect(cacheFolder({ XDG_CACHE_HOME: '/b' })).toBe('/b/paragrad');
    expect(cacheFolder({ XDG_CACHE_HOME: 'relative' })).toBe(join(homedir(), '.cache/paragrad'));
  });
});

describe('the folder of a cluster', () => {
  it('keeps secrets for its owner alone', () => {
    const home = new ClusterHome('ray', { PARAGRAD_CACHE: folder });
    home.make();
    writeFileSync(home.file('token'), 'old', { mode: 0o644 });
    home.writeSecret('token', 'hush');
    expect(home.read('token')).toBe('hush');
    expect(statSync(home.file('token')).mode & 0o777).toBe(0o600);
    expect(statSync(home.folder).mode & 0o777).toBe(0o700);
    home.remove('token');
    expect(home.read('token')).toBeUndefined();
  });

  it('is used by one command at a time', async () => {
    const home = new ClusterHome('ray', { PARAGRAD_CACHE: folder });
    await home.locked(async () => {
      await expect(home.locked(async () => undefined)).rejects.toMatchObject({ code: 'PARAGRAD_CLUSTER_BUSY' });
    });
    await expect(
      home.locked(async () => {
        throw new Error('broken');
      }),
    ).rejects.toThrow('broken');
    expect(existsSync(home.file('lock'))).toBe(false);
  });

  it('takes the lock of a process that is gone', async () => {
    const home = new ClusterHome('ray', { PARAGRAD_CACHE: folder });
    home.make();
    // Above what Linux and macOS ever give.
    writeFileSync(home.file('lock'), '99999999');
    expect(await home.locked(async () => 7)).toBe(7);
  });

  it('says where it cannot be made', async () => {
    const file = join(folder, 'file');
    writeFileSync(file, '');
    const home = new ClusterHome('ray', { PARAGRAD_CACHE: file });
    await expect(home.locked(async () => 7)).rejects.toMatchObject({
      code: 'PARAGRAD_FILE',
      message: expect.stringContaining('PARAGRAD_CACHE'),
    });
  });
});
