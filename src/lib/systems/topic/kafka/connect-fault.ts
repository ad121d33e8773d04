/**
 * Why no connection to Kafka came about, in a sentence: from librdkafka's log, and where that says only that a certificate
 * could not be verified, or that the broker hung up, from a handshake of our own.
 */
import { X509Certificate } from 'node:crypto';
import { statSync } from 'node:fs';
import { isIP } from 'node:net';
import { connect as connectTls, type ConnectionOptions } from 'node:tls';
import { errorMessage, TopicError } from '../../../base/errors.ts';
import { keyPairFault, readPem, tlsFault, type TlsFault } from '../../../base/tls.ts';
import { kafkaToTopicError } from './kafka-error.ts';

interface Attempt {
  brokers: string;
  /** librdkafka's, as the user has set them. */
  properties: Readonly<Record<string, string>>;
}

const hints: Record<TlsFault['kind'], string> = {
  authority: 'Set KAFKA_CONF_ssl_ca_location to a file with the certificate of its authority.',
  name: 'Use a name that the certificate has, in KAFKA_BROKERS and in the brokers’ advertised.listeners, or renew it with this one.',
  date: 'Renew the broker’s certificate, and check this machine’s clock.',
  client:
    'Check KAFKA_CONF_ssl_certificate_location and KAFKA_CONF_ssl_key_location, and which authorities the brokers’ truststore has.',
  plain:
    'Set KAFKA_CONF_security_protocol to plaintext or sasl_plaintext, or name the port for TLS in KAFKA_BROKERS.',
  version: 'Check the brokers’ ssl.enabled.protocols and ssl.cipher.suites.',
};

/** `detail`: the last that librdkafka's log said of a failed connection. */
export async function connectFault(
  error: unknown,
  detail: string | undefined,
  attempt: Attempt,
): Promise<TopicError> {
  const { properties } = attempt;
  const other = kafkaToTopicError(error, 'connecting', attempt, detail);
  const found = /^(?:\w+:\/\/)?(\S+):(\d+)\/\w+: (.*?)(?: \(after .*)?$/.exec(detail ?? '');
  if (found === null) return other;
  const [, host = '', port = '', said = ''] = found;
  const at = `Kafka at ${host}:${port}`;
  const protocol = (properties['security.protocol'] ?? 'plaintext').toLowerCase();
  const fault = (reason: string, hint: string) =>
    new TopicError(`${at}: ${reason}`, { code: 'kafka_tls', hint, cause: error });
  const login = loginFault(said, properties);
  if (login !== undefined) return new TopicError(`${at}: ${login.said}`, { ...login, cause: error });
  if (/^(Connect to|Failed to resolve)|timed out/.test(said)) return other;

  if (!protocol.endsWith('ssl')) {
    const answered = await handshake(host, Number(port), { rejectUnauthorized: false });
    if (answered !== undefined) return other;
    return fault(
      'it speaks TLS on this port',
      'Set KAFKA_CONF_security_protocol to ssl, or to sasl_ssl and KAFKA_CONF_sasl_* to your login.',
    );
  }
  const ours = tlsFault({ message: said });
  if (ours?.kind === 'client') {
    const { said: reason, hint } = clientFault(ours, properties);
    return fault(reason, hint);
  }
  const refused = ours ?? tlsFault(await handshake(host, Number(port), trustOf(properties)));
  if (refused !== undefined) return fault(refused.said, hints[refused.kind]);
  if (said.includes('certificate verify failed')) {
    return fault('its certificate cannot be verified', hints.authority);
  }
  // A broker that restarts, or a proxy before one that is away, hangs up too: it may pass.
  const hangsUp = (reason: string, hint: string) =>
    new TopicError(`${at}: it hangs up ${reason}`, {
      code: 'broker_unavailable',
      retryable: true,
      hint,
      cause: error,
    });
  if (detail?.includes('in state SSL_HANDSHAKE')) {
    return hangsUp('during the TLS handshake: it may not speak TLS on this port', hints.plain);
  }
  if (protocol.startsWith('sasl')) return other;
  return hangsUp(
    'after the TLS handshake: it may require a login',
    'Set KAFKA_CONF_security_protocol to sasl_ssl, and KAFKA_CONF_sasl_* to your login.',
  );
}

/** What a broker says of a login. */
function loginFault(
  said: string,
  properties: Attempt['properties'],
): { said: string; code: 'kafka_login_failed'; hint: string } | undefined {
  const mechanism = /^SASL (\S+) mechanism handshake failed: .*supported mechanisms: *(.*)$/.exec(said);
  if (mechanism !== null) {
    const [, ours, theirs = ''] = mechanism;
    return {
      code: 'kafka_login_failed',
      ...(theirs === ''
        ? {
            said: 'it takes no login on this port',
            hint: 'Set KAFKA_CONF_security_protocol to plaintext or ssl, or name the port for logins in KAFKA_BROKERS.',
          }
        : {
            said: `it does not accept logins by ${ours}, only by ${theirs}`,
            hint: 'Set KAFKA_CONF_sasl_mechanism to one of these.',
          }),
    };
  }
  const refused = /^SASL authentication error: (.*)$/.exec(said);
  if (refused === null) return undefined;
  const user = properties['sasl.username'];
  return {
    code: 'kafka_login_failed',
    said: `it refuses the login${user === undefined ? '' : ` of ${user}`}: ${refused[1]}`,
    hint: 'Check KAFKA_CONF_sasl_username and KAFKA_CONF_sasl_password, and that the user exists.',
  };
}

function clientFault(fault: TlsFault, properties: Attempt['properties']): { said: string; hint: string } {
  const path = properties['ssl.certificate.location'];
  const pem = properties['ssl.certificate.pem'];
  if (path === undefined && pem === undefined && properties['ssl.keystore.location'] === undefined) {
    return {
      said: 'it requires a client certificate',
      hint: 'Set KAFKA_CONF_ssl_certificate_location and KAFKA_CONF_ssl_key_location.',
    };
  }
  try {
    const { validTo } = new X509Certificate(pem ?? readPem(path!, 'certificate'));
    if (Date.parse(validTo) < Date.now()) {
      return {
        said: `it does not accept this client’s certificate, which expired on ${new Date(validTo).toISOString().slice(0, 10)}`,
        hint: `Renew the certificate in ${path ?? 'KAFKA_CONF_ssl_certificate_pem'}.`,
      };
    }
  } catch {
    // librdkafka could read it
  }
  const { said } = fault;
  return { said: said.replace(', or requires one', ''), hint: hints.client };
}

/** What librdkafka holds a broker's certificate against, as Node takes it. */
function trustOf(properties: Attempt['properties']): ConnectionOptions {
  const path = properties['ssl.ca.location'];
  let ca = properties['ssl.ca.pem'];
  try {
    if (ca === undefined && path !== undefined) ca = readPem(path, 'certificate');
  } catch {
    // A directory, or `probe`.
  }
  return {
    ...(ca !== undefined && { ca }),
    ...(properties['ssl.endpoint.identification.algorithm'] === 'none' && {
      checkServerIdentity: () => undefined,
    }),
  };
}

const patienceMs = 3000;

/** Undefined where it succeeds. */
function handshake(host: string, port: number, trust: ConnectionOptions): Promise<unknown> {
  return new Promise((resolve) => {
    const name = host.replace(/^\[(.*)\]$/, '$1');
    const socket = connectTls({ host: name, port, ...(isIP(name) === 0 && { servername: name }), ...trust });
    const end = (outcome: unknown) => {
      resolve(outcome);
      socket.destroy();
    };
    socket.setTimeout(patienceMs, () => end(new Error('no answer')));
    socket.once('secureConnect', () => end(undefined)).once('error', end);
    socket.once('close', () => end(new Error('closed')));
  });
}

/** What is wrong with the files that librdkafka is to read, of which it says a number of OpenSSL's. */
export function tlsFilesFault(properties: Attempt['properties']): string | undefined {
  const files = {
    'ssl.ca.location': 'certificate',
    'ssl.certificate.location': 'certificate',
    'ssl.key.location': 'key',
  } as const;
  const read: Partial<Record<string, string>> = {};
  for (const [name, what] of Object.entries(files)) {
    const path = properties[name];
    if (path === undefined || path === 'probe' || isDirectory(path)) continue;
    try {
      read[name] = readPem(path, what);
    } catch (error) {
      return `KAFKA_CONF_${name.replaceAll('.', '_')} names ${path}, which ${errorMessage(error)}`;
    }
  }
  const { 'ssl.certificate.location': cert, 'ssl.key.location': key } = read;
  if (cert === undefined || key === undefined) return undefined;
  const fault = keyPairFault({ cert, key, passphrase: properties['ssl.key.password'] });
  return fault && `KAFKA_CONF_ssl_certificate_location and KAFKA_CONF_ssl_key_location: ${fault}`;
}

function isDirectory(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}
