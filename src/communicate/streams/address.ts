import { ParagradError } from '../../errors.ts';

/** Where a rank can be reached: a unix socket on the same machine, or TCP with TLS. */
export type Address =
  | { readonly kind: 'unix'; readonly path: string }
  | { readonly kind: 'tls'; readonly host: string; readonly port: number };

/** Node.js cuts longer paths without a word, at 107 bytes on Linux and 103 on macOS: two ranks would meet at one socket. */
const PATH_BYTES = 100;

/** @throws PARAGRAD_ADDRESS */
export function checkAddress(address: Address): Address {
  if (address.kind === 'unix') {
    const bytes = new TextEncoder().encode(address.path).length;
    if (bytes === 0 || bytes > PATH_BYTES || address.path.includes('\0'))
      throw wrongAddress(
        `the path of a unix socket has ${bytes} bytes, and must have 1 to ${PATH_BYTES}: ${address.path}: set TMPDIR to a shorter path`,
      );
  } else if (address.host === '' || !Number.isInteger(address.port) || address.port < 0 || address.port > 65_535)
    throw wrongAddress(`not a host and a port of 0 to 65535: ${addressText(address)}`);
  return address;
}

export function wrongAddress(what: string, cause?: unknown): ParagradError {
  return new ParagradError('PARAGRAD_ADDRESS', what, { cause });
}

/** `unix:/path`, `host:port` or `[::1]:port`. */
export function addressText(address: Address): string {
  if (address.kind === 'unix') return `unix:${address.path}`;
  return `${address.host.includes(':') ? `[${address.host}]` : address.host}:${address.port}`;
}

/** The address that `addressText` wrote, or a user. @throws PARAGRAD_ADDRESS */
export function parseAddress(text: string): Address {
  if (text.startsWith('unix:')) return checkAddress({ kind: 'unix', path: text.slice(5) });
  const parts = /^(?:\[([^\]]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(text);
  if (parts === null) throw wrongAddress(`not an address: ${text}: write host:port, [IPv6]:port or unix:/path`);
  return checkAddress({ kind: 'tls', host: (parts[1] ?? parts[2]) as string, port: Number(parts[3]) });
}
