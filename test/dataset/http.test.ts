import { mkdirSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { cp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { inspectDataset } from '../../src/run/dataset.ts';
import { evaluate } from '../../src/run/evaluate.ts';
import { predictFile } from '../../src/run/predict-file.ts';
import { prepare } from '../../src/run/prepare.ts';
import { resume } from '../../src/run/resume.ts';
import { train } from '../../src/run/train.ts';
import type { TrainOptions } from '../../src/run/train-options.ts';
import type { RunEvent } from '../../src/run/types.ts';
import { failure, temporaryFolder, writeFile, writeParquet } from '../data/helpers.ts';
import { fileServer } from '../support/http-server.ts';
import { mixedCsv } from './tables.ts';

const folder = temporaryFolder();
const csv = writeFile(folder, 'table.csv', mixedCsv(1500));
writeFile(folder, 'table.csv.gz', gzipSync(readFileSync(csv)));
const OPTIONS = { target: 'y', drop: ['answer'], chunkRows: 32 } as const;
const dataset = join(folder, 'dataset');
const made = prepare(csv, { ...OPTIONS, shardBytes: 30_000, out: dataset });
const hash = async (source: string | string[], options: TrainOptions): Promise<string> =>
  (await train(source, options)).summary.weightsSha256;
/** Copies that a run makes of what comes by the network. */
const copies = (): string[] => readdirSync(tmpdir()).filter((name) => name.startsWith('paragrad-download-'));

describe('a dataset at an address', () => {
  it.each([
    ['one thread', { engine: 'inline' }],
    ['threads, columns', { workers: 2, engine: 'threads', partition: 'columns' }],
  ] as [string, TrainOptions][])('gives the bits of its folder: %s', async (_, options) => {
    await made;
    await using server = await fileServer(folder);
    expect(await hash(`${server.url}/dataset`, options)).toBe(await hash(dataset, options));
    const shards = readdirSync(dataset).filter((name) => name.startsWith('shard'));
    expect(shards.length).toBeGreaterThanOrEqual(4);
    const paths = new Set(server.asked.map(({ path }) => path));
    for (const shard of shards) expect(paths).toContain(`/dataset/${shard}`);
  });

  it('is looked at, and verified', async () => {
    const { id } = await made;
    await using server = await fileServer(folder);
    const found = await inspectDataset(`${server.url}/dataset/`, { verify: true });
    expect(found).toMatchObject({ id, verified: { rows: found.schema.trainingRows + found.schema.validationRows } });
  });

  it('can be gone on with', async () => {
    await made;
    await using server = await fileServer(folder);
    const out = join(folder, 'run');
    const { summary } = await train(`${server.url}/dataset`, { engine: 'inline', maxPasses: 3, optimizer: 'gradient-descent', out });
    expect(summary.converged).toBe(false);
    const options = { engine: 'inline', maxPasses: 8 } as const;
    const whole = await hash(dataset, { ...options, optimizer: 'gradient-descent' });
    expect((await resume(out, options)).summary.weightsSha256).toBe(whole);
  });

  const spoiled = async (name: string, spoil: (shard: string) => void): Promise<string> => {
    await made;
    await cp(dataset, join(folder, name), { recursive: true });
    spoil(join(folder, name, 'shard-00001.safetensors'));
    return name;
  };

  it.each([
    ['is missing', (file: string) => rmSync(file), 'PARAGRAD_DATASET_FILE', /shard-00001.safetensors is missing/],
    ['was cut off', (file: string) => truncateSync(file, 5000), 'PARAGRAD_DATASET_FILE', /has 5000 bytes where the manifest says/],
    [
      'is damaged',
      (file: string) => {
        const bytes = readFileSync(file);
        bytes[bytes.length - 900] = (bytes[bytes.length - 900] as number) ^ 1;
        writeFileSync(file, bytes);
      },
      'PARAGRAD_DATASET_FILE',
      /is damaged: .* has checksum/,
    ],
  ] as const)('of which a shard %s is refused', async (what, spoil, code, message) => {
    const name = await spoiled(what.replaceAll(' ', '-'), spoil);
    await using server = await fileServer(folder);
    const error = await failure(inspectDataset(`${server.url}/${name}`, { verify: true }));
    expect(error).toMatchObject({ code });
    expect(error.message).toMatch(message);
  });

  it('that has no manifest is none, and a server without ranges cannot be used', async () => {
    await made;
    mkdirSync(join(folder, 'nothing'), { recursive: true });
    await using server = await fileServer(folder);
    expect(await failure(inspectDataset(`${server.url}/nothing`))).toMatchObject({ code: 'PARAGRAD_DATASET_FOLDER' });
    await using plain = await fileServer(folder, { ranges: false });
    const error = await failure(train(`${plain.url}/dataset`, { engine: 'inline' }));
    expect(error).toMatchObject({ code: 'PARAGRAD_REMOTE' });
    expect(error.message).toMatch(/take a server that knows ranges/);
  });
});

describe('a table at an address', () => {
  it.each(['table.csv', 'table.csv.gz', 'table.parquet'])('%s: trained, measured and predicted as from a file', async (name) => {
    if (name.endsWith('parquet')) await writeParquet(join(folder, name), `SELECT * FROM read_csv('${csv}')`);
    await using server = await fileServer(folder, { ranges: false });
    const events: Extract<RunEvent, { kind: 'download' }>[] = [];
    const onEvent = (event: RunEvent): void => void (event.kind === 'download' && events.push(event));
    const source = `${server.url}/${name}?key=hush`;
    const { model, summary } = await train(source, { ...OPTIONS, engine: 'inline', onEvent });
    expect(summary.weightsSha256).toBe(await hash(join(folder, name), { ...OPTIONS, engine: 'inline' }));
    const bytes = readFileSync(join(folder, name)).length;
    expect(events.at(-1)).toEqual({ kind: 'download', source: `${server.url}/${name}`, bytes, total: bytes });
    expect(JSON.stringify(summary)).not.toContain('hush');
    const from = async (place: string): Promise<unknown> => ({ ...(await evaluate(model, place)), source: '' });
    expect(await from(source)).toEqual(await from(join(folder, name)));
    expect(copies()).toEqual([]);
  });

  it('is predicted', async () => {
    await using server = await fileServer(folder);
    const model = join(folder, 'model');
    await train(csv, { ...OPTIONS, engine: 'inline', out: model, force: true });
    const predicted = async (source: string): Promise<string> => {
      await predictFile(model, source, { to: join(folder, 'predictions.csv') });
      return readFileSync(join(folder, 'predictions.csv'), 'utf8');
    };
    expect(await predicted(`${server.url}/table.csv`)).toBe(await predicted(csv));
  });

  it('and a file are one table', async () => {
    const rows = mixedCsv(1500).split('\n');
    writeFile(folder, 'first.csv', `${rows.slice(0, 700).join('\n')}\n`);
    writeFile(folder, 'z-last.csv', [rows[0], ...rows.slice(700)].join('\n'));
    await using server = await fileServer(folder);
    const options = { ...OPTIONS, engine: 'inline', validationFraction: 0 } as const;
    const both = [join(folder, 'first.csv'), `${server.url}/z-last.csv`];
    expect(await hash(both, options)).toBe(await hash(csv, options));
  });

  it('that is missing, or ends too early, leaves nothing', async () => {
    await using server = await fileServer(folder, {
      instead: ({ url }, response) => {
        if (url !== '/cut.csv') return false;
        response.writeHead(200, { 'content-length': 1000 });
        response.write('a,y\n1,2\n', () => response.destroy());
        return true;
      },
    });
    expect(await failure(train(`${server.url}/no.csv`, OPTIONS))).toMatchObject({ code: 'PARAGRAD_FILE' });
    const error = await failure(train(`${server.url}/cut.csv`, OPTIONS));
    expect(error).toMatchObject({ code: 'PARAGRAD_REMOTE' });
    expect(error.message).toMatch(/ended after 8 of 1000 bytes|was cut/);
    expect(copies()).toEqual([]);
  });
});
