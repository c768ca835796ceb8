import { createMessageCollective } from '../../src/communicate/messages/collective.ts';
import type { Address } from '../../src/communicate/streams/address.ts';
import { parseKey } from '../../src/communicate/streams/key.ts';
import { createMesh, openPort } from '../../src/communicate/streams/mesh.ts';

/** A process that is one rank. The key comes by the environment; where to go, by a message of its parent. */
export interface Orders {
  readonly kind: 'unix' | 'tls';
  readonly rank: number;
  readonly size: number;
  /** Of its own port, before it is open. */
  readonly address: Address;
  readonly timeoutMs: number;
}

const { RUN_KEY, ...rest } = process.env;
process.env = rest;
const next = <T>(): Promise<T> => new Promise((resolve) => process.once('message', (message) => resolve(message as T)));
const say = (message: unknown): void => void process.send?.(message);

const { kind, rank, size, address, timeoutMs } = await next<Orders>();
const key = kind === 'tls' ? parseKey(RUN_KEY ?? '') : undefined;
const port = await openPort({ address, key, numericsVersion: 1 });
const waiting = next<readonly Address[]>();
say({ address: port.address });
const channels = await createMesh({ port, rank, size, addresses: await waiting });
const collective = createMessageCollective(rank, channels, { timeoutMs });
const into = new Float64Array(2000);
const values = Float64Array.from(into, (_, i) => (rank + 1) / (i + 3));
try {
  for (;;) {
    await collective.allReduce(
      { length: into.length, leaves: size },
      [{ node: { level: 0, index: rank }, begin: 0, end: into.length, values }],
      into,
    );
    if (collective.step === 3) say({ sums: [...into], argv: process.argv });
  }
} catch (error) {
  say({ error });
}
await collective.close();
port.close();
process.disconnect();
