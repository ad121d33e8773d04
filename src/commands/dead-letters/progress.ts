/** Shows how far `dead-letters retry` or `drop` is, and what they leave alone. */
import { Progress } from '../../lib/base/report/progress.ts';
import type { DeadLetterEvent } from '../../lib/pipeline/dead-letters/dead-letters.ts';
import type { Context } from '../shared/run.ts';
import { linesFor, Waiting } from '../shared/service-log.ts';

export function letterProgress(
  { interactive, say }: Context,
  label: string,
): Disposable & { report: (event: DeadLetterEvent) => void } {
  const waiting = new Waiting(linesFor(say));
  const progress = new Progress({ label, unit: 'dead letters', interactive, line: say });
  return {
    report(event) {
      if (event.kind !== 'waiting') waiting.over();
      switch (event.kind) {
        case 'selected':
          progress.expect(event.letters);
          break;
        case 'done':
          progress.advance(event.letters);
          break;
        case 'closed':
          say(`dead letter ${event.id} is already ${event.state}`);
          break;
        case 'refused':
          say(`dead letter ${event.id} cannot be sent: ${event.reason}`);
          break;
        case 'waiting':
          waiting.for(event.reason);
          break;
      }
    },
    [Symbol.dispose]() {
      waiting[Symbol.dispose]();
      progress[Symbol.dispose]();
    },
  };
}
