/** How everything fares, for people and programs that watch: status, what happened lately, and what the asker may do. */
import type { z } from 'zod';
import { sharedAnswer } from '../../../base/flow/shared-answer.ts';
import { countByBin } from '../../../systems/database/tables/activity.ts';
import { status } from '../../status.ts';
import { RecentActivity } from '../activity.ts';
import { accessPolicy, rightsOf } from '../admission/access.ts';
import { proxyHeader } from '../admission/senders.ts';
import { type App, refuseOtherMethods, type SharedByRoutes } from '../context.ts';
import { binCounts } from '../schemas/bins.ts';
import { answer, problems } from '../schemas/common.ts';
import * as schemas from '../schemas/overview.ts';

/** However many look, it is asked once in so many milliseconds. */
const statusMs = 1000;
const activityMs = 2000;
/** The last quarter of an hour, and the last day. */
const windows = {
  '15m': { seconds: 5, spans: 180 },
  '24h': { seconds: 300, spans: 288 },
} as const;

export function overviewRoutes(app: App, { deps, options }: SharedByRoutes): void {
  const { pool, topic, store } = deps;
  const { pipeline, http } = options;
  const read = [401, 403] as const;

  const access = accessPolicy(http);
  app.get(
    '/v1/access',
    {
      config: { right: 'none' },
      schema: {
        summary: 'What you may do with this token, or without one',
        response: { 200: answer('Your rights', schemas.rights) },
      },
    },
    ({ method, headers }) => {
      const { authorization, host, origin } = headers;
      const asking = { method, authorization, host, origin, proxy: proxyHeader(headers) };
      const may = rightsOf(access, asking);
      // The route itself asks for no token, so the request has no name yet.
      return { tokens: http.tokens.length > 0, token: may.read ? access('read', asking) : null, may };
    },
  );

  const askStatus = sharedAnswer(() => status(pool, topic.name, topic, pipeline, store), statusMs);
  app.get(
    '/v1/status',
    {
      schema: {
        summary:
          'Consumers, partitions, servers and counts, with what to do first: as `visionscale status --json`',
        response: { 200: answer('The status', schemas.status), ...problems(...read) },
      },
    },
    // Interfaces have no index signature, which a loose schema asks for.
    async () => (await askStatus()) as unknown as z.infer<typeof schemas.status>,
  );

  const activity = Object.fromEntries(
    Object.entries(windows).map(([name, window]) => {
      const recent = new RecentActivity(pool, topic, { pipeline, ...window });
      return [name, sharedAnswer(() => recent.read(), activityMs)];
    }),
  );
  app.get(
    '/v1/activity',
    {
      schema: {
        summary: 'Images and latency over time, in equal spans',
        querystring: schemas.activityQuery,
        response: { 200: answer('The spans', schemas.activity), ...problems(400, ...read) },
      },
    },
    ({ query }) => activity[query.window]!(),
  );

  const counts = sharedAnswer(
    () => countByBin(pool, pipeline, new Date(Date.now() - 15 * 60_000)),
    activityMs,
  );
  app.get(
    '/v1/bins/counts',
    {
      schema: {
        summary: 'Results of the last 15 minutes by bin, and why they went there',
        response: { 200: answer('The counts', binCounts), ...problems(...read) },
      },
    },
    async () => ({ minutes: 15, bins: await counts() }),
  );

  for (const url of ['/v1/access', '/v1/status', '/v1/activity', '/v1/bins/counts'])
    refuseOtherMethods(app, url, ['GET', 'HEAD']);
}
