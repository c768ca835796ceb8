import { createReadStream, existsSync } from 'node:fs';
import { open, readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { buffer } from 'node:stream/consumers';
import { createGzip } from 'node:zlib';
import { ParagradError } from '../../errors.ts';
import { encodePlain } from '../worker/plain.ts';
import { workerFile } from '../worker-file.ts';
import { FILES, type LauncherPlan, type RayOrder } from './messages.ts';
import { type ZipFile, zip } from './zip.ts';

/** Names of what is beside the worker's bundle in `dist/`. */
const BUILT = { coordinator: 'ray-coordinator.mjs', launcher: 'ray-launcher.py', host: 'ray-host.py' } as const;

/** What runs on the cluster, in one archive. @param data a dataset folder that goes with it */
export async function jobPackage(plan: LauncherPlan, order: RayOrder, data: string | undefined): Promise<Uint8Array> {
  const files: ZipFile[] = [
    { path: FILES.launcher, bytes: await built(BUILT.launcher) },
    { path: FILES.host, bytes: await built(BUILT.host) },
    { path: FILES.coordinator, bytes: await built(BUILT.coordinator) },
    { path: FILES.worker, bytes: await readFile(workerFile()) },
    { path: FILES.plan, bytes: new TextEncoder().encode(JSON.stringify(plan)) },
    { path: FILES.order, bytes: Buffer.concat(encodePlain(order)) },
  ];
  if (data !== undefined)
    for (const name of (await readdir(data)).sort())
      files.push({ path: `${FILES.data}/${name}`, bytes: await readFile(path.join(data, name)) });
  return zip(files);
}

/** Pieces of data in a package, in bytes: below what Ray takes. */
export const PIECE_BYTES = 64 * 1024 * 1024;

/**
 * A dataset folder in packages of pieces of its files, one at a time in memory: `paragrad_data/NUMBER.FILE`, to be put together in
 * the order of the numbers (paragrad_host.py).
 */
export async function* dataPackages(folder: string, pieceBytes = PIECE_BYTES): AsyncGenerator<Uint8Array> {
  let files: ZipFile[] = [];
  let room = pieceBytes;
  let count = 0;
  for (const name of (await readdir(folder)).sort()) {
    const file = await open(path.join(folder, name));
    try {
      const { size } = await file.stat();
      for (let at = 0; at < size; ) {
        const bytes = new Uint8Array(Math.min(room, size - at));
        const { bytesRead } = await file.read(bytes, 0, bytes.length, at);
        if (bytesRead === 0) throw new ParagradError('PARAGRAD_DATASET_FILE', `${path.join(folder, name)} was cut off while it was sent`);
        files.push({ path: `paragrad_data/${String(count).padStart(6, '0')}.${name}`, bytes: bytes.subarray(0, bytesRead) });
        count += 1;
        at += bytesRead;
        room -= bytesRead;
        if (room > 0) continue;
        yield zip([{ path: 'paragrad_data/__init__.py', bytes: new Uint8Array(0) }, ...files]);
        files = [];
        room = pieceBytes;
      }
    } finally {
      await file.close();
    }
  }
  if (files.length > 0) yield zip([{ path: 'paragrad_data/__init__.py', bytes: new Uint8Array(0) }, ...files]);
}

/**
 * This machine's Node.js for the cluster's, packed: some unzippers drop the bit that makes a file a program.
 *
 * @throws PARAGRAD_RAY_NODE where it would not run there
 */
export async function nodePackage(): Promise<Uint8Array> {
  if (process.platform !== 'linux')
    throw new ParagradError('PARAGRAD_RAY_NODE', '--node ship sends the Node.js of this machine, which must run on Linux', {
      place: { option: '--node' },
    });
  const packed = await buffer(createReadStream(process.execPath).pipe(createGzip({ level: 4 })));
  const machine = { x64: 'x86_64', arm64: 'aarch64' }[process.arch as string] ?? process.arch;
  const text = (value: string): Uint8Array => new TextEncoder().encode(value);
  return zip([
    { path: 'paragrad_node/__init__.py', bytes: text('') },
    { path: 'paragrad_node/machine.txt', bytes: text(machine) },
    { path: 'paragrad_node/node.gz', bytes: packed },
  ]);
}

function built(name: string): Promise<Uint8Array> {
  const file = path.join(path.dirname(workerFile()), name);
  if (!existsSync(file)) throw new ParagradError('PARAGRAD_INTERNAL', `${name} is missing: run \`npm run build\``);
  return readFile(file);
}
