import { mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { LocalRay } from '../../../src/engines/ray/local.ts';

export interface RealCluster {
  readonly ray: LocalRay;
  /** PARAGRAD_CACHE of this cluster: a folder of its own, over the installation of all tests. */
  readonly cache: string;
  stop(): Promise<void>;
}

/** @param stamp the file that says that Ray is installed, of `describeWith('ray', …)` */
export function realCluster(stamp: string): RealCluster {
  const cache = mkdtempSync(join(tmpdir(), 'paragrad-cache-'));
  mkdirSync(join(cache, 'ray'));
  symlinkSync(dirname(stamp), join(cache, 'ray', '2.60.0'));
  const ray = new LocalRay({ ...process.env, PARAGRAD_CACHE: cache });
  return {
    ray,
    cache,
    stop: async () => {
      await ray.stop();
      rmSync(cache, { recursive: true, force: true });
    },
  };
}
