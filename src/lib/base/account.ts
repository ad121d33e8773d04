/** Who runs this process, for the records of what people changed. */
import { userInfo } from 'node:os';

/** The name of the account; of one without an entry, as in some containers, its number. */
export function accountName(): string {
  try {
    return userInfo().username;
  } catch {
    return `user ${process.getuid?.() ?? 'unknown'}`;
  }
}
