/** What destroys or surprises asks the person at the terminal first; where nobody can be asked, it wants --yes. */
import { UsageError } from '../../lib/base/errors.ts';
import { ask, canAsk } from '../../lib/base/report/ask.ts';
import type { Context } from './run.ts';

type Asking = Pick<Context, 'yes' | 'json' | 'interactive' | 'signal'>;

/**
 * Whether it may go on: --yes was given, or the person agreed. Throws a UsageError where nobody can be asked; `what` says
 * what would happen, as the start of a sentence.
 */
export async function confirmed(context: Asking, what: string, question: string): Promise<boolean> {
  if (context.yes) return true;
  if (canAsk(context)) return ask(question, false, context.signal);
  throw new UsageError(`${what}, and there is no terminal to ask on`, 'To go ahead, add --yes.');
}

/** What a command says that was not agreed to; its exit code is 1. */
export const nothingChanged = 'Nothing was changed.';
