/** TLS in words: what a handshake failed of, and what is wrong with a file of certificates or a key. */
import { createSecureContext } from 'node:tls';
import { errorMessage } from './errors.ts';
import { readTextFile } from './files/text-file.ts';

export interface TlsFault {
  /**
   * Of the server's certificate: `authority`, `name` or `date`. `client`: it is ours that the server does not take.
   * `plain`: the server does not speak TLS. `version`: no version or cipher in common.
   */
  kind: 'authority' | 'name' | 'date' | 'client' | 'plain' | 'version';
  /** Reads on after the server's address and a colon. */
  said: string;
}

const byCode: Record<string, TlsFault> = {
  CERT_HAS_EXPIRED: { kind: 'date', said: 'its certificate has expired' },
  CERT_NOT_YET_VALID: { kind: 'date', said: 'its certificate is not valid yet' },
  CERT_REVOKED: { kind: 'date', said: 'its certificate has been revoked' },
};
for (const code of [
  'CERT_UNTRUSTED',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'INVALID_CA',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
]) {
  byCode[code] = {
    kind: 'authority',
    said: 'its certificate is not signed by an authority that is trusted here',
  };
}

/** By the numbers that servers send: RFC 8446, section 6. */
const byAlert: Record<string, TlsFault> = {
  40: { kind: 'version', said: 'it has no TLS version or cipher in common with this client' },
  70: { kind: 'version', said: 'it has no TLS version in common with this client' },
  42: { kind: 'client', said: 'it does not accept this client’s certificate, or requires one' },
  43: { kind: 'client', said: 'it does not accept this kind of client certificate' },
  44: { kind: 'client', said: 'it says that this client’s certificate has been revoked' },
  45: { kind: 'client', said: 'it says that this client’s certificate has expired' },
  46: { kind: 'client', said: 'it does not accept this client’s certificate' },
  48: { kind: 'client', said: 'it does not trust the authority that signed this client’s certificate' },
  116: { kind: 'client', said: 'it requires a client certificate' },
};

/** Of an error of Node's, or of OpenSSL's words that others pass on; undefined where it is not about TLS. */
export function tlsFault(error: unknown): TlsFault | undefined {
  const { code, message, host, cert } = (error ?? {}) as NameError;
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') {
    return {
      kind: 'name',
      said: `its certificate is for ${namesOf(cert)}, not for ${host ?? 'this address'}`,
    };
  }
  const text = String(message);
  const [, alert = ''] = /\balert number (\d+)/.exec(text) ?? [];
  const known = byCode[String(code)] ?? byAlert[alert];
  if (known !== undefined) return known;
  return /wrong version number|packet length too long|http request/i.test(text)
    ? { kind: 'plain', said: 'it does not speak TLS on this port' }
    : undefined;
}

interface NameError {
  code?: unknown;
  message?: unknown;
  host?: string;
  cert?: { subjectaltname?: string; subject?: { CN?: string } };
}

/** A few of a certificate's names. */
function namesOf(cert: NameError['cert']): string {
  const names = cert?.subjectaltname?.split(', ').map((name) => name.replace(/^(DNS|IP Address):/, ''));
  const [all = [cert?.subject?.CN ?? 'another name']] = [names];
  return all.length > 3 ? `${all.slice(0, 3).join(', ')} and ${all.length - 3} more` : all.join(', ');
}

/** The bundle of all authorities that a system trusts has a quarter of a megabyte. */
const mostBytes = 16 * 1024 * 1024;

/** Throws an Error whose message reads on after the file's name. */
export function readPem(path: string, what: 'certificate' | 'key'): string {
  const text = readTextFile(path, { mostBytes });
  const begins =
    what === 'key' ? /^-----BEGIN .*PRIVATE KEY-----/m : /^-----BEGIN (TRUSTED |X509 )?CERTIFICATE-----/m;
  if (!begins.test(text)) throw new Error(`contains no ${what} in PEM form (-----BEGIN …)`);
  return text;
}

export interface KeyPair {
  cert: string;
  key: string;
  passphrase?: string | undefined;
}

/** What is wrong with a certificate and its key together, or with one of them; undefined: nothing. */
export function keyPairFault({ cert, key, passphrase }: KeyPair): string | undefined {
  try {
    createSecureContext({ cert, key, ...(passphrase !== undefined && { passphrase }) });
    return undefined;
  } catch (error) {
    if ((error as { code?: unknown }).code === 'ERR_OSSL_X509_KEY_VALUES_MISMATCH') {
      return 'the key does not belong to the certificate';
    }
    if (/ENCRYPTED/.test(key)) {
      return `the key is encrypted, and its passphrase is ${passphrase === undefined ? 'missing' : 'wrong'}`;
    }
    return `the certificate or the key cannot be read: ${errorMessage(error)}`;
  }
}
