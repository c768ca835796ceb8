/** Why a connection failed, in words, by the code of the system's error. */
const REASONS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nothing listens there',
  ENOTFOUND: 'there is no machine of this name',
  EAI_AGAIN: 'the name of the machine could not be looked up',
  EHOSTUNREACH: 'there is no way to this machine',
  ENETUNREACH: 'there is no way to this machine',
  ETIMEDOUT: 'nothing answered',
  ECONNRESET: 'the connection was cut: is it http where it should be https, or the other way round?',
  EPROTO: 'it does not speak TLS: is it http:// instead of https://?',
  ERR_SSL_WRONG_VERSION_NUMBER: 'it does not speak TLS: is it http:// instead of https://?',
  ERR_SSL_PACKET_LENGTH_TOO_LONG: 'it does not speak TLS: is it http:// instead of https://?',
  ERR_TLS_CERT_ALTNAME_INVALID: 'its certificate is for another name',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'its certificate is signed by nobody known: name its authority in NODE_EXTRA_CA_CERTS',
  SELF_SIGNED_CERT_IN_CHAIN: 'its certificate is signed by nobody known: name the authority in NODE_EXTRA_CA_CERTS',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'its certificate is signed by nobody known: name the authority in NODE_EXTRA_CA_CERTS',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'its certificate is signed by nobody known: name the authority in NODE_EXTRA_CA_CERTS',
  CERT_HAS_EXPIRED: 'its certificate has expired',
};

/** @param error of a connection by node:http or node:https */
export function reasonOf(error: NodeJS.ErrnoException): string {
  const code = error.code ?? '';
  const why = REASONS[code] ?? (code.startsWith('HPE_') ? 'what answers speaks no HTTP' : error.message);
  return code === '' ? why : `${why} (${code})`;
}

/** Whether it would be the same a moment later. */
export function isLasting({ code = '' }: NodeJS.ErrnoException): boolean {
  return code === 'ENOTFOUND' || code === 'EPROTO' || code.startsWith('ERR_') || code.startsWith('HPE_') || /CERT|SIGNATURE/u.test(code);
}
