import { ParagradError } from '../../errors.ts';

/** The secret of a run: who has it may join. Never to be printed, logged, or put on a command line. */
export type Key = Uint8Array;

const KEY_BYTES = 32;
/** The same for all: the key alone decides. */
export const IDENTITY = 'paragrad';
/**
 * TLS 1.2 with a pre-shared key and forward secrecy; no other suite is offered, so a side without the key cannot come in, and
 * neither can one with a certificate. The first is faster on processors that know AES. Without level 2 OpenSSL would choose a
 * group of 1024 bits, since there is no certificate to measure it by.
 */
export const TLS_OPTIONS = {
  ciphers: 'DHE-PSK-AES128-GCM-SHA256:ECDHE-PSK-CHACHA20-POLY1305:@SECLEVEL=2',
  minVersion: 'TLSv1.2',
  maxVersion: 'TLSv1.2',
} as const;

export function wrongKey(what: string, cause?: unknown): ParagradError {
  return new ParagradError('PARAGRAD_KEY', what, { cause });
}

/** What TLS means by what it says, in words for who has to find the key that is wrong. */
const REASONS: readonly (readonly [RegExp, string])[] = [
  [/bad record mac|decrypt|binder|cipher operation failed|digest check failed/iu, 'the keys are not the same'],
  [
    /no shared cipher|handshake failure|psk|no suitable|unsupported|wrong version|packet length/iu,
    'no key that both sides know was offered',
  ],
  [/disconnected before|ECONNRESET|hang up/iu, 'the connection was closed'],
];

/** Why TLS failed, without the words of its library. */
export function tlsReason(error: unknown): string {
  const { reason, message } = error as { reason?: unknown; message?: unknown };
  const said = typeof reason === 'string' ? reason : String(message);
  return REASONS.find(([pattern]) => pattern.test(said))?.[1] ?? said;
}

/** Whether it was TLS that failed, and not the connection below. */
export function isOfTls(error: unknown): boolean {
  const code = String((error as { code?: unknown }).code ?? '');
  return code.startsWith('ERR_SSL') || code === 'EPROTO';
}

/** A new key, for one run. */
export function newKey(): Key {
  return globalThis.crypto.getRandomValues(new Uint8Array(KEY_BYTES));
}

/** @throws PARAGRAD_KEY */
export function checkKey(key: Key | undefined): Key {
  if (key?.length === KEY_BYTES) return key;
  throw wrongKey(`TCP needs the key of the run, ${KEY_BYTES} bytes`);
}

/** 64 digits, base 16: for an environment variable or a file that only its owner can read. */
export function keyText(key: Key): string {
  return Array.from(key, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

/** The key that `keyText` wrote. @throws PARAGRAD_KEY, which does not repeat the text */
export function parseKey(text: string): Key {
  const digits = text.trim();
  if (!/^[0-9a-f]{64}$/i.test(digits)) throw wrongKey(`the key of a run is ${KEY_BYTES * 2} digits, base 16`);
  return Uint8Array.from({ length: KEY_BYTES }, (_, i) => Number.parseInt(digits.slice(i * 2, i * 2 + 2), 16));
}
