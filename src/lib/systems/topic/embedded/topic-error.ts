/** Turns a fault of the database below the embedded topic into a TopicError. */
import { TopicError } from '../../../base/errors.ts';
import { toDatabaseError } from '../../database/database-error.ts';

/** A TopicError comes back as it is. The code is the database's, such as `database_unreachable`. */
export function toTopicError(error: unknown, name: string): TopicError {
  if (error instanceof TopicError) return error;
  const { message, code, retryable, hint } = toDatabaseError(error);
  return new TopicError(`the embedded topic ${name}: ${message}`, {
    code,
    retryable,
    ...(hint !== undefined && { hint }),
    cause: error,
  });
}

/** Runs a query of the topic; whatever it throws is a TopicError. */
export async function asTopic<T>(name: string, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    throw toTopicError(error, name);
  }
}
