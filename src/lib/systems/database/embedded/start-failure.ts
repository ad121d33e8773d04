/** Why initdb or postgres did not start, in words that say what to do. */
import { DatabaseError, errorMessage } from '../../../base/errors.ts';
import { unusable } from './files.ts';
import type { Files } from './files.ts';

/** `output` is what the program wrote to stderr. */
export function startFailure(
  files: Files,
  program: string,
  output: string | undefined,
  cause?: unknown,
): DatabaseError {
  const text = (output ?? '').trim();
  if (/No space left on device|Disk quota exceeded/.test(text)) {
    return unusable(files.dataDir, { code: 'ENOSPC' });
  }
  if (/Read-only file system/.test(text)) return unusable(files.dataDir, { code: 'EROFS' });
  if (/could not look up effective user ID/.test(text)) {
    return new DatabaseError('PostgreSQL refuses to run under a user id without a name', {
      code: 'user_without_name',
      hint: 'Add the user to /etc/passwd, run as another one, or set DATABASE_URL to use a PostgreSQL server.',
      cause,
    });
  }
  const last = text.split('\n').slice(-4).join('\n');
  const reason = last === '' ? errorMessage(cause ?? 'it said nothing') : last;
  return new DatabaseError(`the embedded PostgreSQL could not be started (${program}): ${reason}`, {
    code: 'embedded_postgres_failed',
    hint: `See ${files.log}. Or set DATABASE_URL to use a PostgreSQL server.`,
    cause,
  });
}
