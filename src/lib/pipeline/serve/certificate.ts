/** The certificate of `serve`: read when it starts, and again whenever its files have changed. */
import { X509Certificate } from 'node:crypto';
import type { Server } from 'node:tls';
import { errorMessage, UsageError } from '../../base/errors.ts';
import { keyPairFault, type KeyPair, readPem } from '../../base/tls.ts';
import type { TlsFiles } from '../../config/http.ts';

export interface ServerCertificate extends KeyPair {
  validTo: Date;
}

export type CertificateEvent =
  | { kind: 'certificate'; validTo: Date }
  /** The files have changed and cannot be used: the one before stays. */
  | { kind: 'certificate failed'; reason: string };

/** Throws a UsageError: a file that cannot be read, a key of another certificate, one that has expired. */
export function readCertificate(files: TlsFiles): ServerCertificate {
  const read = (what: 'certificate' | 'key', setting: string, path: string) => {
    try {
      return readPem(path, what);
    } catch (error) {
      throw new UsageError(`${setting} names ${path}, which ${errorMessage(error)}`);
    }
  };
  const cert = read('certificate', '--tls-cert (VISIONSCALE_TLS_CERT)', files.cert);
  const key = read('key', '--tls-key (VISIONSCALE_TLS_KEY)', files.key);
  const fault = keyPairFault({ cert, key });
  if (fault !== undefined)
    throw new UsageError(`--tls-cert ${files.cert} and --tls-key ${files.key}: ${fault}`);
  const validTo = new Date(new X509Certificate(cert).validTo);
  if (validTo.getTime() < Date.now()) {
    throw new UsageError(
      `the certificate in ${files.cert} expired on ${validTo.toISOString().slice(0, 10)}`,
      'Renew it, and check this machine’s clock.',
    );
  }
  return { cert, key, validTo };
}

/** Contents are compared, not names or times: secrets are mounted as links, and renewed by moving them. */
const lookEveryMs = 2000;

/** New connections get the new certificate; those that are open go on. */
export function renewCertificate(
  server: Pick<Server, 'setSecureContext'>,
  files: TlsFiles,
  current: ServerCertificate,
  report: (event: CertificateEvent) => void,
): Disposable {
  let { cert, key } = current;
  let fault: string | undefined;
  let told: string | undefined;
  const look = () => {
    try {
      const now = readCertificate(files);
      fault = told = undefined;
      if (now.cert === cert && now.key === key) return;
      server.setSecureContext(secureContext(now));
      ({ cert, key } = now);
      report({ kind: 'certificate', validTo: now.validTo });
    } catch (error) {
      const reason = errorMessage(error);
      // Two files do not change at once: what is still so at the next look is told, once.
      if (reason === fault && reason !== told)
        report({ kind: 'certificate failed', reason: (told = reason) });
      fault = reason;
    }
  };
  const looking = setInterval(look, lookEveryMs).unref();
  return { [Symbol.dispose]: () => clearInterval(looking) };
}

export function secureContext({ cert, key }: KeyPair) {
  return { cert, key, minVersion: 'TLSv1.2' } as const;
}
