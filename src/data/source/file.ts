import { createReadStream } from 'node:fs';
import { open, stat } from 'node:fs/promises';
import type { Storage } from './source.ts';

/** Files of this machine. */
export const files: Storage = {
  async open(path) {
    const file = await open(path, 'r');
    const { size } = await file.stat();
    return {
      size,
      async read(into, at) {
        for (let done = 0; done < into.length; ) {
          const { bytesRead } = await file.read(into, done, into.length - done, at + done);
          if (bytesRead === 0) throw new Error('it ends before');
          done += bytesRead;
        }
      },
      close: () => file.close(),
    };
  },
  async stream(path, signal) {
    const { size } = await stat(path);
    return { size, pieces: createReadStream(path, { signal }) as AsyncIterable<Uint8Array> };
  },
};
