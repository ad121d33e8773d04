/** What `serve` logs: what somebody has to know, and one line a request only at debug. */
import { errorMessage } from '../../lib/base/errors.ts';
import type { ServeEvent } from '../../lib/pipeline/serve/options.ts';
import type { Context } from '../shared/run.ts';

/** The same fault is told again after this, in milliseconds. */
const tellAgainMs = 5000;

export function reporter({ log }: Context): (event: ServeEvent) => void {
  const faults = new Map<string, { at: number; more: number }>();
  return (event) => {
    switch (event.kind) {
      case 'listening':
        log.info({ url: event.url }, `listening on ${event.url}`);
        if (event.access === 'read-only') {
          log.warn(
            'no tokens are set and this is no loopback address: it is read-only and takes no images (serve --new-token NAME makes a token)',
          );
        }
        break;
      case 'accepted': {
        const { id, way, bytes, ms } = event;
        log.debug({ id, way, bytes, ms: Math.round(ms) }, 'accepted');
        break;
      }
      case 'answered': {
        const { method, route, status, ms } = event;
        log.debug({ method, route, status, ms: Math.round(ms) }, 'answered');
        break;
      }
      case 'refused':
        log.debug({ status: event.status, code: event.code }, 'refused');
        break;
      case 'failed': {
        const { status, code, error } = event;
        const seen = faults.get(code);
        if (seen && performance.now() - seen.at < tellAgainMs) {
          seen.more++;
          break;
        }
        faults.set(code, { at: performance.now(), more: 0 });
        const own = status === 500 && error instanceof Error ? { stack: error.stack } : {};
        const more = seen?.more ? ` (and ${seen.more} more since the last time)` : '';
        log.error({ status, code, ...own }, `${errorMessage(error)}${more}`);
        break;
      }
      case 'draining':
        log.info('told to stop: finishing what is in flight');
        break;
      case 'cut off':
        log.warn({ connections: event.connections }, 'cut off those who did not come to an end');
        break;
    }
  };
}
