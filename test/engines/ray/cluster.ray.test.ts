import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { processesOf } from '../../../src/engines/cluster/processes.ts';
import type { RayAddress } from '../../../src/engines/ray/address.ts';
import { RayJobs } from '../../../src/engines/ray/jobs-api.ts';
import { zip } from '../../../src/engines/ray/zip.ts';
import { describeWith } from '../../support/components.ts';
import { type RealCluster, realCluster } from './real-cluster.ts';

const NODES = 3;
/** Neither it nor its child, which is no process of Ray's, ends by itself before the test is long over: nobody waits for these sleeps. */
const ENDLESS = `
import subprocess, sys, time
print("begun", flush=True)
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)", "the child of a job"])
time.sleep(600)
`;
const HELLO = `
import os, ray
ray.init()
print(open("größe.txt", encoding="utf-8").read(), os.environ["GIVEN"])
print("nodes", sum(node["Alive"] for node in ray.nodes()))
`;

describeWith('ray', 'a local Ray of three nodes', (stamp) => {
  let cluster: RealCluster;
  let address: RayAddress;
  let jobs: RayJobs;
  let state: { id: string; folder: string; pids: number[] };

  beforeAll(async () => {
    cluster = realCluster(stamp);
    await cluster.ray.start({ nodes: NODES });
    address = cluster.ray.address() as RayAddress;
    jobs = new RayJobs(address);
    state = JSON.parse(readFileSync(join(cluster.cache, 'ray/cluster.json'), 'utf8')) as typeof state;
  });
  afterAll(() => cluster.stop());

  const submit = async (id: string, script: string): Promise<void> => {
    const encoder = new TextEncoder();
    const archive = zip([
      { path: 'main.py', bytes: encoder.encode(script) },
      { path: 'größe.txt', bytes: encoder.encode('fünf') },
    ]);
    const request = { id, entrypoint: 'python main.py', workingDir: await jobs.putPackage(archive), env: { GIVEN: 'yes' } };
    await jobs.submit({ ...request, metadata: { tool: 'paragrad' } });
  };

  it('is up, on loopback, and its secrets are its owner’s', async () => {
    expect(await cluster.ray.status()).toMatchObject({ running: { nodes: NODES, address: address.url }, trouble: undefined });
    expect(await jobs.version()).toMatchObject({ ray: '2.60.0' });
    for (const name of ['cluster.json', 'token']) expect(statSync(join(cluster.cache, 'ray', name)).mode & 0o777).toBe(0o600);
    const arguments_ = state.pids.map((pid) => readFileSync(`/proc/${pid}/cmdline`, 'utf8'));
    for (const text of arguments_) {
      expect(text).toContain('--node-ip-address=127.0.0.1');
      expect(text).not.toContain(address.token as string);
    }
  });

  it('is not started twice', async () => {
    await expect(cluster.ray.start({})).rejects.toMatchObject({ code: 'PARAGRAD_CLUSTER_RUNNING' });
  });

  it('wants its token', async () => {
    for (const token of ['0'.repeat(64), undefined])
      await expect(new RayJobs({ ...address, token }).version()).rejects.toMatchObject({ code: 'PARAGRAD_RAY_TOKEN' });
  });

  it('runs a job from a package, and its log is heard to the end', async () => {
    await submit('hello', HELLO);
    const lines: string[] = [];
    expect(await jobs.follow('hello', (line) => lines.push(line))).toMatchObject({ status: 'SUCCEEDED', metadata: { tool: 'paragrad' } });
    expect(lines).toContain('fünf yes');
    expect(lines).toContain(`nodes ${NODES}`);
    await jobs.forget('hello');
    await expect(jobs.job('hello')).rejects.toMatchObject({ code: 'PARAGRAD_RAY_JOB' });
  });

  it('says why a job failed', async () => {
    await submit('failing', 'raise SystemExit("no luck")');
    const lines: string[] = [];
    expect((await jobs.follow('failing', (line) => lines.push(line))).status).toBe('FAILED');
    expect(lines.join('\n')).toContain('no luck');
  });

  it('stops a job with all its processes', async () => {
    await submit('endless', ENDLESS);
    const children = (): number => processesOf(state.id, state.folder).filter(isChild).length;
    const info = await jobs.follow('endless', (line) => {
      if (line === 'begun') void jobs.stop('endless');
    });
    expect(info.status).toBe('STOPPED');
    await expect.poll(children, { timeout: 20_000 }).toBe(0);
  });

  it('grows while it runs', async () => {
    expect(await cluster.ray.start({ nodes: NODES + 1 })).toMatchObject({ nodes: NODES + 1, address: address.url });
    expect(await cluster.ray.status()).toMatchObject({ running: { nodes: NODES + 1 }, trouble: undefined });
  });

  it('knows that a node was lost', async () => {
    const raylet = processesOf(state.id, state.folder).find((pid) => isRaylet(pid, join(state.folder, '2')));
    process.kill(raylet as number, 'SIGKILL');
    const trouble = async (): Promise<string | undefined> => (await cluster.ray.status()).trouble;
    await expect.poll(trouble, { timeout: 60_000, interval: 300 }).toBe('3 of 4 nodes are alive');
  });

  it('leaves no process, no file and no socket', async () => {
    expect(await cluster.ray.stop()).toBe(true);
    const left = readdirSync('/proc').filter((pid) => /^\d+$/.test(pid) && commandOf(Number(pid)).includes(state.folder));
    expect(left).toEqual([]);
    expect(processesOf(state.id, state.folder)).toEqual([]);
    expect(existsSync(state.folder)).toBe(false);
    expect(readdirSync(join(cluster.cache, 'ray'))).toEqual(['2.60.0']);
    await expect(jobs.version()).rejects.toMatchObject({ code: 'PARAGRAD_RAY_ADDRESS' });
    expect(await cluster.ray.stop()).toBe(false);
  });
});

function commandOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  } catch {
    return '';
  }
}

const isChild = (pid: number): boolean => commandOf(pid).includes('the child of a job');
const isRaylet = (pid: number, folder: string): boolean => {
  const command = commandOf(pid);
  return /^[^\0]*\/raylet\0/.test(command) && command.includes(folder);
};
