import path from 'node:path';
import { ParagradError } from '../../errors.ts';
import { files } from './file.ts';
import { http } from './http.ts';
import { shown } from './shown.ts';
import type { Source, Storage, Stream } from './source.ts';

/** A location is a path of this machine, or an address: `SCHEME://…`. A new kind of address is a `Storage` and a line here. */
const STORAGES: Readonly<Record<string, Storage>> = { http, https: http };

const schemeOf = (location: string): string | undefined => /^([a-z][a-z0-9+.-]+):\/\//iu.exec(location)?.[1]?.toLowerCase();

/** Is it an address of a kind that is read? */
export function isAddress(location: string): boolean {
  return Object.hasOwn(STORAGES, schemeOf(location) ?? '');
}

function storageOf(location: string): Storage {
  return STORAGES[schemeOf(location) ?? ''] ?? files;
}

export function openSource(location: string): Promise<Source> {
  return storageOf(location).open(location);
}

export function streamOf(location: string, signal?: AbortSignal): Promise<Stream> {
  return storageOf(location).stream(location, signal);
}

/** The text of a small file. @throws what `streamOf` does; PARAGRAD_REMOTE when it is longer than `limit` bytes */
export async function readText(location: string, limit: number): Promise<string> {
  const { pieces } = await streamOf(location);
  const all: Uint8Array[] = [];
  let bytes = 0;
  for await (const piece of pieces) {
    bytes += piece.length;
    if (bytes > limit) throw new ParagradError('PARAGRAD_REMOTE', `${shown(location)} is longer than ${limit} bytes`);
    all.push(piece);
  }
  return Buffer.concat(all).toString('utf8');
}

/** A file of a folder. What an address asks for (`?…`) stays at its end. */
export function within(folder: string, name: string): string {
  if (!isAddress(folder)) return path.join(folder, name);
  const url = new URL(folder);
  url.pathname = `${url.pathname.replace(/\/+$/u, '')}/${name}`;
  return url.href;
}

/** One that holds wherever it is read from; an address does already. */
export function absolute(location: string): string {
  return isAddress(location) ? location : path.resolve(location);
}
