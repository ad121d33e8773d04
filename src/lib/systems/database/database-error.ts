/** Turns what pg and the sockets below it throw into a DatabaseError: can a retry help, and what should be done. */
import { DatabaseError, VisionscaleError } from '../../base/errors.ts';
import { tlsFault, type TlsFault } from '../../base/tls.ts';

interface Verdict {
  code: string;
  retryable: boolean;
  hint?: string;
}

const unreachable: Verdict = {
  code: 'database_unreachable',
  retryable: true,
  hint: 'Check that PostgreSQL runs there and that DATABASE_URL (or PGHOST, PGPORT) names it.',
};
const behindPooler: Verdict = {
  ...unreachable,
  hint: 'The pooler (PgBouncer) answers, but the PostgreSQL behind it does not: see the pooler’s log.',
};
const restarting: Verdict = { code: 'database_restarting', retryable: true };
const login: Verdict = {
  code: 'database_login_failed',
  retryable: false,
  hint: 'Check user and password in DATABASE_URL (or PGUSER, PGPASSWORD), and the server’s pg_hba.conf.',
};
const schema: Verdict = {
  code: 'schema_missing',
  retryable: false,
  hint: 'Run: visionscale init',
};
const conflict: Verdict = { code: 'database_conflict', retryable: true };
const timeout: Verdict = { code: 'database_timeout', retryable: true };
const tls: Verdict = {
  code: 'database_tls',
  retryable: false,
  hint: 'Check sslmode and sslrootcert in DATABASE_URL (or PGSSLMODE, PGSSLROOTCERT).',
};
const tlsHints: Record<TlsFault['kind'], string> = {
  authority:
    'Name the file with the certificate of its authority: sslrootcert in DATABASE_URL (or PGSSLROOTCERT).',
  name: 'Use a name that the certificate has in DATABASE_URL (or PGHOST), or renew it with this one; sslmode=verify-ca does not check the name.',
  date: 'Renew the server’s certificate, and check this machine’s clock.',
  client:
    'Check sslcert and sslkey in DATABASE_URL (or PGSSLCERT, PGSSLKEY), and the authorities in the server’s ssl_ca_file.',
  plain: tls.hint!,
  version: 'Check ssl_min_protocol_version and ssl_ciphers of the server.',
};
const exhausted: Verdict = {
  code: 'database_exhausted',
  retryable: true,
  hint: 'The server is out of connections, memory or disk.',
};

const missing: Verdict = { code: 'database_missing', retryable: false, hint: 'Run: visionscale init' };

const broken: Verdict = {
  code: 'database_failing',
  retryable: true,
  hint: 'The server cannot read or write its own files: look at its disk and its log.',
};

/** SQLSTATEs (https://www.postgresql.org/docs/current/errcodes-appendix.html) and the codes of Node's sockets. */
const byCode: Record<string, Verdict> = {
  ECONNREFUSED: unreachable,
  ECONNRESET: unreachable,
  ECONNABORTED: unreachable,
  EPIPE: unreachable,
  EHOSTUNREACH: unreachable,
  ENETUNREACH: unreachable,
  ENOTFOUND: unreachable,
  EAI_AGAIN: unreachable,
  ENOENT: unreachable, // no such unix socket
  ETIMEDOUT: timeout,
  '28000': login,
  '28P01': login,
  '3D000': missing,
  '57P01': restarting,
  '57P02': restarting,
  '57P03': restarting,
  '25006': { ...restarting, code: 'database_read_only' }, // a standby during failover
  '40001': conflict,
  '40P01': conflict,
  '55P03': timeout,
  '57014': timeout,
  '25P03': timeout, // this process was frozen or cut off in the middle of a transaction
  '42P01': schema,
  '42703': schema,
  '42501': {
    code: 'database_permission_denied',
    retryable: false,
    hint: 'Have the tables’ owner run `visionscale init --roles`; docs/postgresql.md says which role a command needs.',
  },
};

/** PgBouncer has one code for nearly everything (08P01, protocol_violation): its words tell. */
const byPooler: [RegExp, (found: RegExpExecArray) => Verdict][] = [
  [
    /unsupported startup parameter(?: in options)?: (\S+)/i,
    ([, name]) => ({
      code: 'database_parameter_refused',
      retryable: false,
      hint: `This is a pooler (PgBouncer). Remove ${name} from DATABASE_URL, or add to its pgbouncer.ini: ignore_startup_parameters = ${name}`,
    }),
  ],
  [
    /database .* does not exist|no such database/i,
    () => ({
      ...missing,
      hint: 'Run: visionscale init. If the database exists, list it under [databases] in pgbouncer.ini.',
    }),
  ],
  [/no such user|authentication failed|auth failed|login rejected/i, () => login],
  [/SSL required|TLS required/i, () => tls],
  [/no more connections allowed/i, () => exhausted],
  [/query_wait_timeout|query_timeout|client_idle_timeout|idle.transaction.timeout/i, () => timeout],
];

function judgePooler(message: string): Verdict {
  for (const [pattern, verdict] of byPooler) {
    const found = pattern.exec(message);
    if (found) return verdict(found);
  }
  return behindPooler;
}

/** pg reports these without a code. */
const byMessage: [RegExp, Verdict][] = [
  [/timeout/i, timeout],
  [
    /^Connection terminated|connection error and is not queryable|client was closed|not queryable/i,
    unreachable,
  ],
  [
    /does not support SSL/i,
    {
      ...tls,
      hint: 'Turn on ssl in its postgresql.conf, or, on a network that you trust, use sslmode=disable (or PGSSLMODE).',
    },
  ],
  [/password must be a string|SASL/i, login],
];

/** What pg_hba.conf says of a connection as it comes: 28000. */
const byEntry: [RegExp, Verdict][] = [
  [
    /no encryption$|SSL off$/,
    {
      ...tls,
      hint: 'The server may accept encrypted connections only: add sslmode=verify-full to DATABASE_URL (or set PGSSLMODE). If it is so already, see its pg_hba.conf.',
    },
  ],
  [
    /requires a valid client certificate/,
    { ...tls, hint: 'Give one: sslcert and sslkey in DATABASE_URL (or PGSSLCERT, PGSSLKEY).' },
  ],
  [
    /certificate authentication failed/,
    { ...login, hint: 'The CN of the client’s certificate must be the user, or pg_ident.conf must map it.' },
  ],
];

function judge(code: string | undefined, message: string): Verdict {
  if (code !== undefined) {
    const entry = code.startsWith('28') ? byEntry.find(([pattern]) => pattern.test(message)) : undefined;
    if (entry) return entry[1];
    const exact = byCode[code];
    if (exact) return exact;
    if (code === '08P01') return judgePooler(message);
    if (/^08...$/.test(code)) return unreachable;
    if (/^53...$/.test(code)) return exhausted;
    // A full disk also shows as an internal error: `could not write init file`.
    if (/^58...$/.test(code) || code === 'XX000') return broken;
  } else {
    const found = byMessage.find(([pattern]) => pattern.test(message));
    if (found) return found[1];
  }
  return { code: 'database_error', retryable: false };
}

/** A name with two addresses (localhost) fails with an AggregateError whose own message is empty. */
function firstCause(error: unknown): unknown {
  return error instanceof AggregateError && error.errors.length > 0 ? error.errors[0] : error;
}

/**
 * Wraps any error of a query or a connection; a DatabaseError comes back as it is. `where` (host:port/database,
 * without password) opens the message. The original stays as `cause`.
 */
export function toDatabaseError(error: unknown, where?: string): DatabaseError {
  if (error instanceof DatabaseError) return error;
  const cause = firstCause(error);
  const { code, message } = (cause ?? {}) as { code?: unknown; message?: unknown };
  const fault = tlsFault(cause);
  const text = fault?.said ?? (typeof message === 'string' && message !== '' ? message : String(cause));
  const { hint, ...verdict } = fault
    ? { ...tls, hint: tlsHints[fault.kind] }
    : judge(typeof code === 'string' ? code : undefined, text);
  const place = where === undefined ? 'PostgreSQL' : `PostgreSQL at ${where}`;
  return new DatabaseError(`${place}: ${text}`, { ...verdict, ...(hint && { hint }), cause: error });
}

/** The SQLSTATE or socket code of an error or of what it wraps. */
export function databaseCode(error: unknown): string | undefined {
  const cause = firstCause(error instanceof DatabaseError ? error.cause : error);
  const code = (cause as { code?: unknown } | undefined)?.code;
  return typeof code === 'string' ? code : undefined;
}

/** As `toDatabaseError` for what PostgreSQL or its connection threw; any other error (a bug, an outcome) comes back as it is. */
export function databaseErrorOrSame(error: unknown, where?: string): unknown {
  if (error instanceof VisionscaleError) return error;
  const mapped = toDatabaseError(error, where);
  return mapped.code === 'database_error' && databaseCode(error) === undefined ? error : mapped;
}
