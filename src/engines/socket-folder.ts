import { chmod, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type Address, checkAddress } from '../communicate/streams/address.ts';
import { makeTempFolder } from '../data/folders.ts';

/** A folder that only its owner may enter, for the unix sockets of one run: who can reach a socket is let in. */
export interface SocketFolder {
  readonly path: string;
  /** Address of a socket in it. @throws PARAGRAD_ADDRESS when the path of the temporary folder is too long */
  addressOf(name: string): Address;
  remove(): Promise<void>;
}

/** Makes the folder under the system's temporary one. Remove it at the end, whatever the end. @throws PARAGRAD_FILE */
export async function createSocketFolder(): Promise<SocketFolder> {
  const path = makeTempFolder('paragrad-');
  // As mkdtemp does it already, whatever the mask of the process.
  await chmod(path, 0o700);
  return {
    path,
    addressOf: (name) => checkAddress({ kind: 'unix', path: join(path, name) }),
    remove: () => rm(path, { recursive: true, force: true }),
  };
}
