import { spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { request as requestPlain } from 'node:http';
import { createServer } from 'node:https';
import { type AddressInfo, connect } from 'node:net';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ArraySource } from '../../../src/data/arrays.ts';
import { processesOf } from '../../../src/engines/cluster/processes.ts';
import { generate } from '../../../src/run/generate/generate.ts';
import { loadModel } from '../../../src/run/model-folder.ts';
import { prepare } from '../../../src/run/prepare.ts';
import { resume } from '../../../src/run/resume.ts';
import { train } from '../../../src/run/train.ts';
import { describeWith } from '../../support/components.ts';
import { fileServer } from '../../support/http-server.ts';
import { type RealCluster, realCluster } from './real-cluster.ts';

const TLS = join(import.meta.dirname, '../../support/tls');

/** What goes to a cluster, and what comes back: data at an address, data of many packages, long checkpoints, TLS on the way. */
describeWith('ray', 'data and a Ray of two nodes', (stamp) => {
  let cluster: RealCluster;
  let state: { id: string; folder: string };
  let table: string;
  let dataset: string;
  const before = process.env.PARAGRAD_CACHE;

  beforeAll(async () => {
    cluster = realCluster(stamp);
    process.env.PARAGRAD_CACHE = cluster.cache;
    table = join(cluster.cache, 'table.csv');
    dataset = join(cluster.cache, 'dataset');
    await generate({ rows: 1500, columns: 6, out: table });
    await prepare(table, { target: 'y', chunkRows: 64, shardBytes: 20_000, out: dataset });
    await cluster.ray.start({ nodes: 2 });
    state = JSON.parse(readFileSync(join(cluster.cache, 'ray/cluster.json'), 'utf8')) as typeof state;
  });
  afterAll(async () => {
    if (before === undefined) delete process.env.PARAGRAD_CACHE;
    else process.env.PARAGRAD_CACHE = before;
    await cluster.stop();
  });

  it('trains on a dataset at an address: the bits of its folder, read by the workers', async () => {
    await using server = await fileServer(cluster.cache);
    const plain = await train(dataset, { engine: 'inline' });
    expect(plain.summary.plan.chunks).toBeGreaterThanOrEqual(8);
    const { summary } = await train(`${server.url}/dataset`, { engine: 'ray', workers: 2 });
    expect(summary.weightsSha256).toBe(plain.summary.weightsSha256);
    await expect(train(`${server.url}/dataset`, { engine: 'ray', workers: 2, rayData: 'send' })).rejects.toMatchObject({
      code: 'PARAGRAD_OPTION',
    });
  });

  describe('with data of several packages, and checkpoints that are too long for a log', () => {
    const ROWS = 1000;
    const COLUMNS = 18_000;
    /** Whole numbers of a linear congruential generator: normal ones would take longer than the run. */
    const source = (): ArraySource => {
      const x = new Float32Array(ROWS * COLUMNS);
      let last = 1;
      for (let i = 0; i < x.length; i += 1) {
        last = (Math.imul(last, 1_664_525) + 1_013_904_223) >>> 0;
        x[i] = last >>> 24;
      }
      return { x, rows: ROWS, columns: COLUMNS, y: Float64Array.from({ length: ROWS }, (_, i) => (x[i * COLUMNS] as number) / 100) };
    };
    const OPTIONS = { optimizer: 'lbfgs', tolerance: 0, validationFraction: 0, chunkRows: 64 } as const;

    it('gives the bits of one thread, though its job was lost on the way', async () => {
      const data = source();
      const out = join(cluster.cache, 'large');
      const notes: string[] = [];
      let killed: number | undefined;
      const lost = train(data, {
        ...OPTIONS,
        maxPasses: 100_000,
        // So that it is not far ahead when the first checkpoint has come.
        pause: ['1@30=10s'],
        engine: 'ray',
        workers: 2,
        rayData: 'send',
        checkpointSeconds: 0.2,
        out,
        onEvent: (event) => {
          if (event.kind === 'note') notes.push(event.text);
          if (event.kind !== 'steps' || killed !== undefined || !existsSync(join(out, 'checkpoints'))) return;
          killed = processesOf(state.id, state.folder).find((pid) => /python3?\0launcher\.py\0$/.test(commandOf(pid)));
          process.kill(killed as number, 'SIGKILL');
        },
      });
      await expect(lost).rejects.toMatchObject({ code: 'PARAGRAD_RAY_JOB' });
      expect(notes.filter((note) => note.startsWith('sending data to the cluster'))).toHaveLength(2);
      const [checkpoint] = readdirSync(join(out, 'checkpoints'));
      expect(readFileSync(join(out, 'checkpoints', checkpoint as string)).length).toBeGreaterThan(2 ** 20);
      const { summary } = await resume(out, { engine: 'inline', workers: 1, maxPasses: 60 }, data);
      const whole = await train(data, { ...OPTIONS, maxPasses: 60, engine: 'inline' });
      expect(summary.weightsSha256).toBe(whole.summary.weightsSha256);
    });
  });

  it('is reached by https, through a proxy with an authority of its own', async () => {
    const { url = '', token = '' } = cluster.ray.address() ?? {};
    const target = new URL(url);
    const own = (name: string): Buffer => readFileSync(join(TLS, name));
    const proxy = createServer({ key: own('key.pem'), cert: own('cert.pem') }, (request, response) => {
      const { method, headers, url: path } = request;
      const onwards = requestPlain({ host: target.hostname, port: target.port, method, headers, path, agent: false }, (answer) => {
        response.writeHead(answer.statusCode ?? 0, answer.headers);
        answer.pipe(response);
      });
      onwards.on('error', () => response.destroy());
      request.pipe(onwards);
    });
    proxy.on('upgrade', (request, socket, head) => {
      const onwards = connect({ host: target.hostname, port: Number(target.port) }, () => {
        const lines = Array.from({ length: request.rawHeaders.length / 2 }, (_, i) =>
          request.rawHeaders.slice(2 * i, 2 * i + 2).join(': '),
        );
        onwards.write(`GET ${request.url} HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n`);
        onwards.write(head);
        socket.pipe(onwards).pipe(socket);
      });
      for (const each of [socket, onwards]) each.on('error', () => onwards.destroy());
    });
    await new Promise<void>((listening) => proxy.listen(0, '127.0.0.1', listening));
    try {
      const address = `https://127.0.0.1:${(proxy.address() as AddressInfo).port}`;
      const out = join(cluster.cache, 'tls');
      const main = resolve(import.meta.dirname, '../../../dist/cli/main.js');
      const run = (env: NodeJS.ProcessEnv): Promise<{ code: number | null; text: string }> => {
        const args = ['train', dataset, '--engine', 'ray', '--ray-address', address, '--workers', '2', '--out', out];
        const child = spawn(process.execPath, [main, ...args], { env: { ...process.env, ...env, RAY_AUTH_TOKEN: token } });
        let text = '';
        for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (piece: string) => (text += piece));
        return new Promise((ended) => child.once('close', (code) => ended({ code, text })));
      };
      const unknown = await run({});
      expect(unknown.code).toBe(1);
      expect(unknown.text.replace(/\s+/g, ' ')).toMatch(/signed by nobody known: name .* NODE_EXTRA_CA_CERTS .*PARAGRAD_RAY_ADDRESS/);
      const { code, text } = await run({ NODE_EXTRA_CA_CERTS: join(TLS, 'cert.pem') });
      expect(code, text).toBe(0);
      const plain = await train(dataset, { engine: 'inline' });
      expect((await loadModel(out)).summary.weightsSha256).toBe(plain.summary.weightsSha256);
    } finally {
      proxy.closeAllConnections();
      await new Promise((closed) => proxy.close(closed));
    }
  });

  const commandOf = (pid: number): string => {
    try {
      return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
    } catch {
      return '';
    }
  };
});
