import { ParagradError } from '../../errors.ts';
import type { RayOptions } from '../engine.ts';
import { findToken, parseRayAddress, type RayAddress } from './address.ts';
import { LocalRay } from './local.ts';

export interface FoundCluster {
  readonly address: RayAddress;
  /** It runs on this machine, and sees its folders. */
  readonly isLocal: boolean;
}

/**
 * The cluster that the options name; where they name none, the local one.
 *
 * @throws PARAGRAD_RAY_ADDRESS, PARAGRAD_RAY_TOKEN; PARAGRAD_CLUSTER_MISSING where there is neither, with the commands
 */
export function findCluster({ address, tokenFile }: RayOptions, env: NodeJS.ProcessEnv = process.env): FoundCluster {
  const local = new LocalRay(env).address();
  if (address !== undefined) {
    const url = parseRayAddress(address);
    const isLocal = local?.url === url;
    const token = tokenFile === undefined && isLocal ? local.token : findToken(tokenFile, env);
    return { address: { url, token }, isLocal };
  }
  if (local !== undefined) return { address: local, isLocal: true };
  throw new ParagradError(
    'PARAGRAD_CLUSTER_MISSING',
    'no Ray cluster: give the address of one (--ray-address http://HOST:8265), or start one on this machine: paragrad cluster install ray, then paragrad cluster start ray --nodes 3',
    { place: { option: '--ray-address' } },
  );
}
