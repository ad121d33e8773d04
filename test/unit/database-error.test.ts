/** What pg and sockets throw, and what becomes of it. */
import { describe, expect, it } from 'vitest';
import { DatabaseError } from '../../src/lib/base/errors.ts';
import { databaseCode, toDatabaseError } from '../../src/lib/systems/database/database-error.ts';

function failure(code: string | undefined, message = 'it failed'): Error {
  return Object.assign(new Error(message), code === undefined ? {} : { code });
}

describe('toDatabaseError', () => {
  it.each([
    ['57P01', 'database_restarting'],
    ['57P02', 'database_restarting'],
    ['57P03', 'database_restarting'],
    ['08006', 'database_unreachable'],
    ['08P01', 'database_unreachable'],
    ['ECONNREFUSED', 'database_unreachable'],
    ['ECONNRESET', 'database_unreachable'],
    ['EAI_AGAIN', 'database_unreachable'],
    ['ETIMEDOUT', 'database_timeout'],
    ['53300', 'database_exhausted'],
    ['25006', 'database_read_only'],
    ['40001', 'database_conflict'],
    ['40P01', 'database_conflict'],
  ])('%s may pass: %s', (code, expected) => {
    expect(toDatabaseError(failure(code))).toMatchObject({ code: expected, retryable: true });
  });

  it.each([
    ['28P01', 'database_login_failed'],
    ['28000', 'database_login_failed'],
    ['3D000', 'database_missing'],
    ['42P01', 'schema_missing'],
    ['42501', 'database_permission_denied'],
    ['SELF_SIGNED_CERT_IN_CHAIN', 'database_tls'],
  ])('%s needs somebody to act: %s, with a hint', (code, expected) => {
    const error = toDatabaseError(failure(code));
    expect(error).toMatchObject({ code: expected, retryable: false });
    expect(error.hint).toBeTruthy();
  });

  it.each([
    ['timeout exceeded when trying to connect', 'database_timeout', true],
    ['Connection terminated due to connection timeout', 'database_timeout', true],
    ['Connection terminated unexpectedly', 'database_unreachable', true],
    ['Client has encountered a connection error and is not queryable', 'database_unreachable', true],
    ['The server does not support SSL connections', 'database_tls', false],
    ['something else', 'database_error', false],
  ])('knows pg’s errors without a code: %s', (message, code, retryable) => {
    expect(toDatabaseError(failure(undefined, message))).toMatchObject({ code, retryable });
  });

  it.each([
    ['unsupported startup parameter: options', 'database_parameter_refused', false],
    ['unsupported startup parameter in options: search_path', 'database_parameter_refused', false],
    ['database "x" does not exist', 'database_missing', false],
    ['no such database: x', 'database_missing', false],
    ['no such user', 'database_login_failed', false],
    ['SASL authentication failed', 'database_login_failed', false],
    ['SSL required', 'database_tls', false],
    ['no more connections allowed (max_client_conn)', 'database_exhausted', true],
    ['query_wait_timeout', 'database_timeout', true],
    ['server login has been failing, try again later (server_login_retry)', 'database_unreachable', true],
    ['pgbouncer cannot connect to server', 'database_unreachable', true],
  ])('tells by PgBouncer’s words what its one code means: %s', (message, code, retryable) => {
    const error = toDatabaseError(failure('08P01', message));
    expect(error).toMatchObject({ code, retryable });
  });

  it('does not take a statement’s error for a timeout because its text says so', () => {
    const error = toDatabaseError(failure('23505', 'duplicate key in "timeout"'));
    expect(error).toMatchObject({ code: 'database_error', retryable: false });
  });

  it('looks into the AggregateError of a name with several addresses, and keeps the original as cause', () => {
    const both = new AggregateError([failure('ECONNREFUSED', 'connect ECONNREFUSED ::1:5432')], '');
    const error = toDatabaseError(both, 'localhost:5432/my_db');
    expect(error.message).toBe('PostgreSQL at localhost:5432/my_db: connect ECONNREFUSED ::1:5432');
    expect(error.cause).toBe(both);
    expect(error.retryable).toBe(true);
    expect(databaseCode(error)).toBe('ECONNREFUSED');
  });

  it('leaves a DatabaseError as it is, and survives what is no Error', () => {
    const known = new DatabaseError('known', { code: 'known' });
    expect(toDatabaseError(known)).toBe(known);
    expect(toDatabaseError('text').message).toContain('text');
    expect(toDatabaseError(undefined).code).toBe('database_error');
  });
});
