import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import type { RayAddress } from './address.ts';
import { exchange } from './http.ts';

interface Nodes {
  readonly data?: { readonly result?: { readonly result?: readonly { readonly state: string }[] } };
}

/** Nodes of a cluster that are alive. @throws as `exchange`; an Error where the dashboard is not ready yet */
export async function aliveNodes(address: RayAddress): Promise<number> {
  const { status, text } = await exchange(address, { method: 'GET', path: '/api/v0/nodes', timeoutMs: 10_000 });
  if (status !== 200) throw new Error(`the dashboard answers ${status}`);
  const nodes = (JSON.parse(text) as Nodes).data?.result?.result ?? [];
  return nodes.filter(({ state }) => state === 'ALIVE').length;
}

const TAIL_LINES = 8;
/** Lines of Ray's start that say nothing of what went wrong. */
const CHATTER = / INFO | SUCC |network_util/u;

/** What the nodes of a local cluster said last, as far as it may be why it does not start. */
export function logTail(folder: string): string {
  try {
    const logs = readdirSync(folder).filter((name) => name.endsWith('.log'));
    const lines = logs.flatMap((name) => readFileSync(path.join(folder, name), 'utf8').split('\n'));
    const telling = lines.filter((line) => line.trim() !== '' && !CHATTER.test(line));
    return telling.slice(-TAIL_LINES).join('\n');
  } catch {
    return '';
  }
}
