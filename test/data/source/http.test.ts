import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { httpStorage } from '../../../src/data/source/http.ts';
import type { HttpLimits } from '../../../src/data/source/http-get.ts';
import { within } from '../../../src/data/source/location.ts';
import { fileServer } from '../../support/http-server.ts';
import { failure, temporaryFolder, writeFile } from '../helpers.ts';

const folder = temporaryFolder();
const BYTES = randomBytes(100_000);
writeFile(folder, 'data', BYTES);
writeFile(folder, 'empty', '');
const QUICK: HttpLimits = { idleMs: 150, deadlineMs: 60_000, slowestBytesPerSecond: 1e6, attempts: 3, pauseMs: 1 };
const storage = httpStorage(QUICK);

async function read(url: string, at: number, bytes: number): Promise<Buffer> {
  const source = await storage.open(url);
  const into = Buffer.alloc(bytes);
  await source.read(into, at);
  return into;
}

async function whole(url: string): Promise<Buffer> {
  const { pieces } = await storage.stream(url);
  const all: Uint8Array[] = [];
  for await (const piece of pieces) all.push(piece);
  return Buffer.concat(all);
}

describe('ranges of an address', () => {
  it('are its bytes, and nothing else is asked for', async () => {
    await using server = await fileServer(folder);
    const source = await storage.open(`${server.url}/data`);
    expect(source.size).toBe(BYTES.length);
    for (const [at, bytes] of [
      [0, 100],
      [5, 0],
      [16_000, 1000],
      [50_000, 50_000],
      [99_999, 1],
    ] as const) {
      const into = Buffer.alloc(bytes);
      await source.read(into, at);
      expect(into.equals(BYTES.subarray(at, at + bytes))).toBe(true);
    }
    // What came when it was opened is not asked for again.
    expect(server.asked.map(({ range }) => range)).toEqual([
      'bytes=0-16383',
      'bytes=16000-16999',
      'bytes=50000-99999',
      'bytes=99999-99999',
    ]);
    await expect(source.read(Buffer.alloc(2), 99_999)).rejects.toThrow('ends before');
  });

  it('may be none', async () => {
    await using server = await fileServer(folder);
    expect((await storage.open(`${server.url}/empty`)).size).toBe(0);
  });

  it('go on where they were cut', async () => {
    await using server = await fileServer(folder, {
      instead: (_, response, count) => {
        if (count % 2 === 0) return false;
        const [, from = '', to = ''] = /bytes=(\d+)-(\d+)/.exec(String(response.req.headers.range)) ?? [];
        const part = BYTES.subarray(Number(from), Number(from) + 1000);
        response.writeHead(206, { 'content-range': `bytes ${from}-${to}/${BYTES.length}`, etag: tag, 'content-length': 50_000 });
        response.write(part, () => response.destroy());
        return true;
      },
      tag: () => tag,
    });
    const tag = '"one"';
    expect((await read(`${server.url}/data`, 40_000, 50_000)).equals(BYTES.subarray(40_000, 90_000))).toBe(true);
    expect(server.asked.map(({ range }) => range)).toEqual(['bytes=0-16383', 'bytes=40000-89999', 'bytes=41000-89999']);
  });

  it('follow to another address, not from https to http', async () => {
    await using server = await fileServer(folder, {
      instead: ({ url }, response) => {
        if (url !== '/moved') return false;
        response.writeHead(307, { location: '/data' }).end();
        return true;
      },
    });
    expect((await read(`${server.url}/moved`, 20_000, 10)).equals(BYTES.subarray(20_000, 20_010))).toBe(true);
  });
});

describe('what goes wrong is said', () => {
  const answer =
    (status: number, headers: Record<string, string> = {}, body = '') =>
    (_: unknown, response: import('node:http').ServerResponse): boolean => {
      response.writeHead(status, headers).end(body);
      return true;
    };

  it.each([
    ['there is no such thing', { instead: answer(404) }, 'PARAGRAD_FILE', /does not exist \(the server answers 404\)/, 1],
    ['a key is asked for', { instead: answer(403) }, 'PARAGRAD_REMOTE', /may not be read: the server answers 403/, 1],
    ['no ranges', { ranges: false }, 'PARAGRAD_REMOTE', /sends the whole file where a part of it is asked for/, 1],
    ['another range', { instead: answer(206, { 'content-range': 'bytes 7-8/9' }) }, 'PARAGRAD_REMOTE', /answers another range/, 1],
    ['more than was asked for', { instead: answer(206, { 'content-range': 'bytes 0-1/2' }, 'abc') }, 'PARAGRAD_REMOTE', /sends more/, 1],
    ['in circles', { instead: answer(302, { location: '/data' }) }, 'PARAGRAD_REMOTE', /leads from one address to the next/, 6],
    ['to files', { instead: answer(302, { location: 'file:///etc/hosts' }) }, 'PARAGRAD_REMOTE', /leads to file:/, 1],
    ['it is busy for ever', { instead: answer(503) }, 'PARAGRAD_REMOTE', /the server answers 503/, 3],
    ['it never answers', { instead: () => true }, 'PARAGRAD_REMOTE', /sends nothing for 0.15 s/, 3],
  ] as const)('%s', async (_, options, code, message, requests) => {
    await using server = await fileServer(folder, options);
    const error = await failure(storage.open(`${server.url}/data?key=hush`));
    expect(error).toMatchObject({ code });
    expect(error.message).toMatch(message);
    expect(error.message).not.toContain('hush');
    expect(server.asked).toHaveLength(requests);
  });

  it('the length is another when it is cut', async () => {
    await using server = await fileServer(folder, {
      instead: (_, response) => {
        const [, from] = /bytes=(\d+)/.exec(String(response.req.headers.range)) ?? [];
        response.writeHead(206, { 'content-range': `bytes ${from}-9/10` }).end(from === '0' ? 'a' : '');
        return true;
      },
    });
    expect((await failure(storage.open(`${server.url}/data`))).message).toMatch(/the connection ended in the middle/);
  });

  it('it stops in the middle', async () => {
    await using server = await fileServer(folder, {
      instead: (_, response, count) => {
        if (count === 0) return false;
        response.writeHead(206, { 'content-range': `bytes 20000-20999/${BYTES.length}`, 'content-length': 1000 }).write('abc');
        return true;
      },
      tag: () => null,
    });
    expect((await failure(read(`${server.url}/data`, 20_000, 1000))).message).toMatch(/another range|sends nothing for 0.15 s/);
  });

  it('it comes too slowly', async () => {
    await using server = await fileServer(folder);
    const slow = httpStorage({ ...QUICK, deadlineMs: -1e6 });
    expect((await failure(slow.open(`${server.url}/data`))).message).toMatch(/is too slow: 16384 bytes did not come within/);
  });

  it('it changed', async () => {
    let version = 1;
    await using server = await fileServer(folder, { tag: () => `"${version}"` });
    const source = await storage.open(`${server.url}/data`);
    version = 2;
    const error = await failure(source.read(new Uint8Array(10), 20_000));
    expect(error).toMatchObject({ code: 'PARAGRAD_REMOTE' });
    expect(error.message).toMatch(/changed while it was read/);
  });

  it('nobody is there, who is there speaks no HTTP, or no TLS', async () => {
    await using server = await fileServer(folder);
    const deaf = createServer((socket) => socket.resume().end('220 mail\r\n')).listen(0, '127.0.0.1');
    await new Promise((resolve) => deaf.once('listening', resolve));
    const { port } = deaf.address() as { port: number };
    expect((await failure(storage.open(`http://127.0.0.1:${port}/x`))).message).toMatch(/speaks no HTTP \(HPE_/);
    await new Promise((resolve) => deaf.close(resolve));
    expect((await failure(storage.open(`http://127.0.0.1:${port}/x`))).message).toMatch(/nothing listens there \(ECONNREFUSED\)/);
    expect((await failure(storage.open(`${server.url.replace('http', 'https')}/data`))).message).toMatch(/does not speak TLS/);
    expect((await failure(storage.open('http://me:hush@127.0.0.1:1/data'))).message).toMatch(
      /^http:\/\/127.0.0.1:1\/data was given with a/,
    );
  });

  it('its certificate is signed by nobody known', async () => {
    const own = (name: string): Buffer => readFileSync(join(import.meta.dirname, '../../support/tls', name));
    await using server = await fileServer(folder, { tls: { key: own('key.pem'), cert: own('cert.pem') } });
    const error = await failure(storage.open(`${server.url}/data`));
    expect(error).toMatchObject({ code: 'PARAGRAD_REMOTE' });
    expect(error.message).toMatch(/signed by nobody known: name .* in NODE_EXTRA_CA_CERTS/);
    expect(server.asked).toEqual([]);
  });
});

describe('a whole', () => {
  it('comes from servers that know no ranges, too', async () => {
    await using server = await fileServer(folder, { ranges: false });
    expect((await whole(`${server.url}/data`)).equals(BYTES)).toBe(true);
  });

  const cut = (response: import('node:http').ServerResponse, tag?: string): boolean => {
    response.writeHead(200, { 'content-length': BYTES.length, ...(tag === undefined ? {} : { etag: tag }) });
    response.write(BYTES.subarray(0, 30_000), () => response.destroy());
    return true;
  };

  it('goes on where it was cut', async () => {
    await using server = await fileServer(folder, {
      instead: (_, response, count) => count === 0 && cut(response, '"a"'),
      tag: () => '"a"',
    });
    expect((await whole(`${server.url}/data`)).equals(BYTES)).toBe(true);
    expect(server.asked[1]?.range).toBe('bytes=30000-99999');
  });

  it.each([
    ['another one', true, '"b"', /changed while it was read/],
    ['no rest', false, '"a"', /was cut after 30000 of 100000 bytes, and the server sends no rest/],
    ['nobody who says that it is the same', true, null, /was cut|ended after 30000/],
  ] as const)('that was cut is refused where there is %s', async (_, ranges, tag, message) => {
    await using server = await fileServer(folder, {
      ranges,
      instead: (_request, response, count) => count === 0 && cut(response, tag === null ? undefined : '"a"'),
      tag: () => tag,
    });
    expect((await failure(whole(`${server.url}/data`))).message).toMatch(message);
  });
});

describe('a file of a folder', () => {
  it.each([
    ['/data', 'a', '/data/a'],
    ['http://host/data', 'a', 'http://host/data/a'],
    ['http://host/data/', 'a', 'http://host/data/a'],
    ['https://host:8443/data?key=1', 'a', 'https://host:8443/data/a?key=1'],
  ])('%s, %s', (at, name, expected) => {
    expect(within(at, name)).toBe(expected);
  });
});
