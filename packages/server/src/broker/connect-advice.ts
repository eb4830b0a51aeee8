/**
 * What to do where a TLS connection to the engine was not had, as the end of a sentence; undefined where the failure
 * is of another kind. Codes are those of OpenSSL as Node names them. `shown`: what the node has for TLS; absent where it
 * does not use it.
 */
export function tlsAdvice(error: unknown, shown?: { readonly cert?: string }): string | undefined {
  const code = error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : '';
  const said = error instanceof Error ? error.message : '';
  if (untrusted.has(code)) {
    return 'its certificate is signed by nobody whom this node trusts: set engineCaFile to the PEM file of the authority that signed it';
  }
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') {
    return 'its certificate is for another host: name the server in engine as the certificate does';
  }
  if (code === 'CERT_HAS_EXPIRED') return 'its certificate has expired: renew it';
  if (/certificate required|handshake failure|bad certificate|unknown ca/i.test(said)) {
    return 'it does not accept the certificate of this node, or asks for one: set engineCertFile and engineKeyFile';
  }
  // A server of TLS 1.3 refuses only after the hand-shake has succeeded here.
  if (shown !== undefined && shown.cert === undefined && (ended.has(code) || /connection is closed/i.test(said))) {
    return 'it ended the TLS connection: where it asks for a certificate, set engineCertFile and engineKeyFile';
  }
  if (code === 'ERR_SSL_WRONG_VERSION_NUMBER' || code === 'EPROTO')
    return 'it does not speak TLS at this port, or no version that both know';
  return undefined;
}

const untrusted = new Set([
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
]);

const ended = new Set(['ECONNRESET', 'EPIPE']);
