import { createServer } from 'node:net';
import { describe, expect, it } from 'vitest';
import { exchange } from '../../../src/engines/ray/http.ts';
import { PACKAGE_LIMIT_BYTES, RayJobs } from '../../../src/engines/ray/jobs-api.ts';
import { ParagradError } from '../../../src/errors.ts';
import { fakeDashboard } from './fake-dashboard.ts';

const jobs = (url: string, token: string | undefined = 'hush', signal?: AbortSignal): RayJobs => new RayJobs({ url, token }, signal);

async function failureOf(work: Promise<unknown>): Promise<ParagradError> {
  const error = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (error instanceof ParagradError) return error;
  throw new Error(`no ParagradError but ${String(error)}`);
}

describe('who answers', () => {
  it('says its version, and is told the token', async () => {
    let token: string | undefined;
    await using dashboard = await fakeDashboard({
      http: ({ headers }) => {
        token = headers.authorization;
        return { status: 200, text: '{"ray_version": "2.60.0", "session_name": "s"}' };
      },
    });
    expect(await jobs(dashboard.url).version()).toEqual({ ray: '2.60.0', session: 's' });
    expect(token).toBe('Bearer hush');
    expect(dashboard.asked).toEqual(['GET /api/version']);
  });

  it.each([
    [401, 'hush', 'PARAGRAD_RAY_TOKEN', /does not accept this token \(401\)/],
    [403, 'hush', 'PARAGRAD_RAY_TOKEN', /does not accept this token \(403\)/],
    [404, 'hush', 'PARAGRAD_RAY_ADDRESS', /not as a Ray dashboard/],
  ] as const)('with %i it is not to be used', async (status, token, code, message) => {
    await using dashboard = await fakeDashboard({ http: () => ({ status, text: 'no' }) });
    const error = await failureOf(jobs(dashboard.url, token).version());
    expect(error.code).toBe(code);
    expect(error.message).toMatch(message);
    expect(error.message).not.toContain('hush');
  });

  it('may ask for a token that was not given', async () => {
    await using dashboard = await fakeDashboard({ http: () => ({ status: 401 }) });
    const error = await failureOf(new RayJobs({ url: dashboard.url, token: undefined }).version());
    expect(error).toMatchObject({ code: 'PARAGRAD_RAY_TOKEN' });
    expect(error.message).toMatch(/asks for a token \(401\): set RAY_AUTH_TOKEN/);
  });

  it.each([
    ['<html>', 'PARAGRAD_RAY_ADDRESS'],
    ['{"ray_version": 3}', 'PARAGRAD_RAY_ADDRESS'],
    ['{"ray_version": "2.51.1"}', 'PARAGRAD_RAY_VERSION'],
    ['{"ray_version": "1.99.0"}', 'PARAGRAD_RAY_VERSION'],
  ])('%s is %s', async (text, code) => {
    await using dashboard = await fakeDashboard({ http: () => ({ status: 200, text }) });
    expect((await failureOf(jobs(dashboard.url).version())).code).toBe(code);
  });

  it('nobody: a port that nobody listens at', async () => {
    const dashboard = await fakeDashboard({});
    await dashboard[Symbol.asyncDispose]();
    const error = await failureOf(jobs(dashboard.url).version());
    expect(error.code).toBe('PARAGRAD_RAY_ADDRESS');
    expect(error.message).toMatch(/nothing listens there \(ECONNREFUSED\)/);
  });

  it('somebody who speaks no HTTP, or no TLS', async () => {
    const server = createServer((socket) =>
      socket
        .on('error', () => undefined)
        .resume()
        .end('SSH-2.0-x\r\n'),
    );
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as { port: number };
    try {
      for (const scheme of ['http', 'https']) {
        const error = await failureOf(jobs(`${scheme}://127.0.0.1:${port}`).version());
        expect(error.code).toBe('PARAGRAD_RAY_ADDRESS');
        expect(error.message).toContain('cannot be reached');
      }
    } finally {
      await new Promise((resolve) => server.close(resolve));
    }
  });

  it('nobody in time', async () => {
    await using dashboard = await fakeDashboard({ http: () => undefined });
    const error = await failureOf(exchange({ url: dashboard.url, token: undefined }, { method: 'GET', path: '/', timeoutMs: 50 }));
    expect(error.message).toMatch(/did not answer within 0.05 s/);
  });

  it('nobody any more after an abort', async () => {
    const controller = new AbortController();
    await using dashboard = await fakeDashboard({
      http: () => {
        controller.abort(new Error('enough'));
        return undefined;
      },
    });
    await expect(jobs(dashboard.url, 'hush', controller.signal).version()).rejects.toThrow('enough');
  });
});

describe('a package', () => {
  it('is sent once, under its digest', async () => {
    const there = new Set<string>();
    let sent: Buffer | undefined;
    await using dashboard = await fakeDashboard({
      http: ({ method, url = '' }, body) => {
        if (method === 'GET') return { status: there.has(url) ? 200 : 404 };
        there.add(url);
        sent = body;
        return { status: 200 };
      },
    });
    const archive = new TextEncoder().encode('abc');
    const uri = await jobs(dashboard.url).putPackage(archive);
    expect(uri).toBe('gcs://_ray_pkg_ba7816bf8f01cfea414140de5dae2223.zip');
    expect(await jobs(dashboard.url).putPackage(archive)).toBe(uri);
    expect(sent).toEqual(Buffer.from(archive));
    const path = '/api/packages/gcs/_ray_pkg_ba7816bf8f01cfea414140de5dae2223.zip';
    expect(dashboard.asked).toEqual([`GET ${path}`, `PUT ${path}`, `GET ${path}`]);
  });

  it('that is not taken, or too large', async () => {
    await using dashboard = await fakeDashboard({
      http: ({ method }) => ({ status: method === 'GET' ? 404 : 500, text: 'Trace\nToo big' }),
    });
    expect(await failureOf(jobs(dashboard.url).putPackage(new Uint8Array(1)))).toMatchObject({ code: 'PARAGRAD_RAY_PACKAGE' });
    const tooLarge = { length: PACKAGE_LIMIT_BYTES + 1 } as Uint8Array;
    expect((await failureOf(jobs(dashboard.url).putPackage(tooLarge))).message).toMatch(/more than the 100 MiB that Ray takes/);
  });
});

describe('a job', () => {
  it('is submitted, asked for and stopped', async () => {
    let body: unknown;
    await using dashboard = await fakeDashboard({
      http: ({ method, url = '' }, bytes) => {
        if (method === 'POST' && url === '/api/jobs/') body = JSON.parse(bytes.toString());
        return { status: 200, text: '{"status": "RUNNING", "message": "m", "metadata": {"a": "b"}}' };
      },
    });
    const api = jobs(dashboard.url);
    await api.submit({
      id: 'j-1',
      entrypoint: 'python x.py',
      workingDir: 'gcs://w.zip',
      modules: ['gcs://m.zip'],
      env: { A: '1' },
      metadata: { b: '2' },
    });
    expect(body).toEqual({
      submission_id: 'j-1',
      entrypoint: 'python x.py',
      runtime_env: { working_dir: 'gcs://w.zip', py_modules: ['gcs://m.zip'], env_vars: { A: '1' } },
      metadata: { b: '2' },
    });
    expect(await api.job('j-1')).toEqual({ status: 'RUNNING', message: 'm', metadata: { a: 'b' } });
    await api.stop('j-1');
    expect(dashboard.asked).toEqual(['POST /api/jobs/', 'GET /api/jobs/j-1', 'POST /api/jobs/j-1/stop']);
  });

  it('that nobody knows, or that can be none', async () => {
    await using dashboard = await fakeDashboard({});
    const api = jobs(dashboard.url);
    for (const work of [api.job('j'), api.stop('j'), api.logs('j')]) expect((await failureOf(work)).message).toMatch(/knows no job j/);
    expect((await failureOf(api.job('../a'))).code).toBe('PARAGRAD_RAY_JOB');
    expect(dashboard.asked).toHaveLength(3);
  });
});

describe('the log of a job', () => {
  it('is heard whole and once, over connections that break, to its last line', async () => {
    const text = 'one\ntwo\nthrée\nfour\nfive';
    const cuts = [6, 11, text.length - 5];
    let tails = 0;
    await using dashboard = await fakeDashboard({
      http: ({ url = '' }) => {
        if (url.endsWith('/logs')) return { status: 200, text: JSON.stringify({ logs: text }) };
        return { status: 200, text: JSON.stringify({ status: tails < cuts.length ? 'RUNNING' : 'SUCCEEDED' }) };
      },
      tail: (socket) => {
        const cut = cuts[tails] as number;
        tails += 1;
        // From the first character each time, in pieces.
        socket.send(text.slice(0, 2));
        socket.send(text.slice(2, cut), () => (tails === 1 ? socket.terminate() : socket.close()));
      },
    });
    const lines: string[] = [];
    expect((await jobs(dashboard.url).follow('j', (line) => lines.push(line))).status).toBe('SUCCEEDED');
    expect(lines).toEqual(['one', 'two', 'thrée', 'four', 'five']);
    expect(tails).toBe(3);
  });

  it('ends with what a listener throws, and with an abort', async () => {
    const controller = new AbortController();
    await using dashboard = await fakeDashboard({ tail: (socket) => socket.send('a\n') });
    const hear = (): void => {
      throw new Error('no more');
    };
    await expect(jobs(dashboard.url).follow('j', hear)).rejects.toThrow('no more');
    const following = jobs(dashboard.url, 'hush', controller.signal).follow('j', () => controller.abort(new Error('enough')));
    await expect(following).rejects.toThrow('enough');
  });
});
