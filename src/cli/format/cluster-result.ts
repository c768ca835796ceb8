import type { ClusterStatus, Installation, LocalCluster, RunningCluster } from '../../engines/cluster/local-cluster.ts';
import { seconds } from './numbers.ts';
import type { Style } from './style.ts';
import { plural } from './text.ts';

type Kind = Pick<LocalCluster, 'name' | 'title' | 'version'>;

const titleOf = ({ title, version }: Kind): string => `${title} ${version}`;
const took = (elapsedMs: number): string => seconds(elapsedMs / 1000);

/** What `paragrad cluster install` prints. @param command how the user calls paragrad */
export function installText(kind: Kind, { folder, isNew }: Installation, elapsedMs: number, command: string, style: Style): string {
  const how = isNew ? `installed in ${took(elapsedMs)}` : 'already installed';
  return `${style.bold(titleOf(kind))}  ${how}\n  folder  ${folder}\n  next    ${command} cluster start ${kind.name} --nodes 3`;
}

/** What `paragrad cluster start` prints. */
export function startText(kind: Kind, running: RunningCluster, elapsedMs: number, command: string, style: Style): string {
  return [
    `${style.bold(titleOf(kind))}  ${plural(running.nodes, 'node')} on this machine, ready in ${took(elapsedMs)}`,
    `  address  ${running.address}`,
    `  token    in ${running.tokenFile}`,
    `  end it   ${command} cluster stop ${kind.name}`,
  ].join('\n');
}

/** What `paragrad cluster status` prints. */
export function statusText(kind: Kind, { installed, running, trouble }: ClusterStatus, command: string, style: Style): string {
  const lines = [`${style.bold(titleOf(kind))}  ${running === undefined ? 'not running' : 'running'}`];
  lines.push(`  installed  ${installed ?? `no: ${command} cluster install ${kind.name}`}`);
  if (running !== undefined) {
    lines.push(`  address    ${running.address}`, `  token      in ${running.tokenFile}`);
    lines.push(`  nodes      ${running.nodes}, ${plural(running.processes, 'process', 'processes')}, since ${running.startedAt}`);
  }
  if (trouble !== undefined) lines.push(`  trouble    ${style.red(trouble)}`);
  return lines.join('\n');
}

/** What `paragrad cluster stop` prints. */
export function stopText(kind: Kind, wasRunning: boolean, elapsedMs: number, style: Style): string {
  return `${style.bold(titleOf(kind))}  ${wasRunning ? `ended in ${took(elapsedMs)}` : 'was not running'}`;
}
