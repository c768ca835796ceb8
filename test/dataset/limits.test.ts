import { totalmem } from 'node:os';
import { describe, expect, it } from 'vitest';
import { groupCpus, groupMemoryBytes, memoryLimitBytes, usableCores } from '../../src/data/limits.ts';

const reader = (files: Record<string, string>) => (path: string) => files[path];

describe('limits of control groups', () => {
  it('version 2: the smallest on the way to the root', () => {
    const read = reader({
      '/proc/self/cgroup': '0::/pods/mine',
      '/sys/fs/cgroup/pods/mine/memory.max': 'max',
      '/sys/fs/cgroup/pods/memory.max': '1073741824',
      '/sys/fs/cgroup/pods/mine/cpu.max': '400000 100000',
      '/sys/fs/cgroup/pods/cpu.max': 'max 100000',
      '/sys/fs/cgroup/cpu.max': '150000 100000',
    });
    expect([groupMemoryBytes(read), groupCpus(read)]).toEqual([2 ** 30, 1.5]);
  });

  it('version 2 in a container, which sees its own group as the root, or as something above it', () => {
    for (const group of ['0::/', '0::/../other']) {
      const read = reader({ '/proc/self/cgroup': group, '/sys/fs/cgroup/memory.max': '4096', '/sys/fs/cgroup/cpu.max': '50000 100000' });
      expect([groupMemoryBytes(read), groupCpus(read)]).toEqual([4096, 0.5]);
    }
  });

  it('version 1: a controller each; −1 is no limit', () => {
    const read = reader({
      '/proc/self/cgroup': '7:cpu,cpuacct:/docker/a\n4:memory:/docker/a\n1:name=systemd:/',
      '/sys/fs/cgroup/memory/docker/a/memory.limit_in_bytes': '5000',
      '/sys/fs/cgroup/cpu/docker/a/cpu.cfs_quota_us': '-1',
      '/sys/fs/cgroup/cpu/docker/a/cpu.cfs_period_us': '100000',
      '/sys/fs/cgroup/cpu/cpu.cfs_quota_us': '300000',
      '/sys/fs/cgroup/cpu/cpu.cfs_period_us': '100000',
    });
    expect([groupMemoryBytes(read), groupCpus(read)]).toEqual([5000, 3]);
  });

  it('none where there are none', () => {
    expect([groupMemoryBytes(reader({})), groupCpus(reader({}))]).toEqual([Infinity, Infinity]);
  });

  it('of this machine are within it', () => {
    expect(memoryLimitBytes()).toBeGreaterThan(0);
    expect(memoryLimitBytes()).toBeLessThanOrEqual(totalmem());
    expect(Number.isInteger(usableCores()) && usableCores() >= 1).toBe(true);
  });
});
