import { type Address, parseAddress } from '../../communicate/streams/address.ts';
import { ParagradError } from '../../errors.ts';

/** The port of machines that listen, where nobody says another. */
export const DEFAULT_PORT = 7461;
/** All interfaces. */
const ANYWHERE = '0.0.0.0';

/**
 * An address as a user writes it: `host:port`, `[IPv6]:port`, `host` (with the port 7461), or `:port` (of all interfaces).
 *
 * @throws PARAGRAD_OPTION
 */
export function hostAndPort(option: string, text: string): Extract<Address, { kind: 'tls' }> {
  const full = text.startsWith(':') ? `${ANYWHERE}${text}` : /^(\[[^\]]+\]|[^:[\]]+)$/u.test(text) ? `${text}:${DEFAULT_PORT}` : text;
  try {
    const address = parseAddress(full);
    if (address.kind === 'tls') return address;
  } catch {
    // Said below, with the option's name.
  }
  throw new ParagradError('PARAGRAD_OPTION', `${option} must be like host:${DEFAULT_PORT}, [::1]:${DEFAULT_PORT} or host, not '${text}'`, {
    place: { option },
  });
}
