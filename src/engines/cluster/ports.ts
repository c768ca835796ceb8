import { connect, createServer } from 'node:net';
import { ParagradError } from '../../errors.ts';

/** Ports of 127.0.0.1 that nobody uses now, all different. They are held until all are found. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(Array.from({ length: count }, () => hold(0)));
  const ports = servers.map((server) => (server.address() as { port: number }).port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}

/** @throws PARAGRAD_CLUSTER_PORT when somebody listens there, or may not be listened */
export async function checkPort(port: number): Promise<void> {
  try {
    const server = await hold(port);
    await new Promise((resolve) => server.close(resolve));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const why = code === 'EADDRINUSE' ? 'is in use by another program' : `cannot be used (${code})`;
    throw new ParagradError('PARAGRAD_CLUSTER_PORT', `port ${port} ${why}: give another one with --port, or leave it away`, {
      place: { option: '--port' },
    });
  }
}

export async function isFree(port: number): Promise<boolean> {
  return checkPort(port).then(
    () => true,
    () => false,
  );
}

/** Whether somebody answers on a port of 127.0.0.1. */
export function isListening(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1' });
    const done = (answer: boolean): void => {
      socket.destroy();
      resolve(answer);
    };
    socket.once('connect', () => done(true));
    socket.once('error', () => done(false));
  });
}

function hold(port: number): Promise<ReturnType<typeof createServer>> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen({ port, host: '127.0.0.1' }, () => resolve(server));
  });
}
