/** How everything fares, for people and programs that watch: status, what happened lately, and what the asker may do. */
import type { z } from 'zod';
import { TopicError } from '../../../base/errors.ts';
import { sharedAnswer } from '../../../base/flow/shared-answer.ts';
import { countByBin, readBelts } from '../../../systems/database/tables/activity.ts';
import { listBeltModels } from '../../../systems/database/tables/belt-models.ts';
import { called } from '../../server-watch.ts';
import { status } from '../../status.ts';
import { RecentActivity } from '../activity.ts';
import { accessPolicy, rightsOf } from '../admission/access.ts';
import { proxyHeader } from '../admission/senders.ts';
import { type App, refuseOtherMethods, type SharedByRoutes } from '../context.ts';
import { watchLag } from '../lag.ts';
import { Problem } from '../problem.ts';
import { binCounts } from '../schemas/bins.ts';
import { answer, problems } from '../schemas/common.ts';
import * as schemas from '../schemas/overview.ts';

/** However many look, it is asked once in so many milliseconds. */
const statusMs = 1000;
const activityMs = 2000;
const beltsMs = 5000;
/** The last quarter of an hour, and the last day. */
const windows = {
  '15m': { seconds: 5, spans: 180 },
  '24h': { seconds: 300, spans: 288 },
} as const;
const recentMinutes = 15;
const mostBelts = 100;

export function overviewRoutes(app: App, { deps, options, closing }: SharedByRoutes): void {
  const { pool, topic, store, servers = { away: [] } } = deps;
  const { pipeline, http, deadlineMs = null } = options;
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

  const away = () => servers.away.map(({ server, reason, since }) => ({ server, reason, since }));
  /** Nobody waits for a database that is known to be away, and everybody hears since when it is. */
  const needDatabase = () => {
    const gone = servers.away.find(({ server }) => server === 'database');
    if (gone === undefined) return;
    throw new Problem(503, 'database_unreachable', `${called.database} is away: ${gone.reason}`, {
      retryAfter: 2,
      more: { away: away() },
    });
  };
  const unavailable = {
    503: {
      description: 'The database is away',
      content: { 'application/problem+json': { schema: schemas.awayProblem } },
    },
  };

  const askStatus = sharedAnswer(async () => {
    const gone = servers.away.find(({ server }) => server === 'topic');
    const fault = gone && new TopicError(gone.reason, { code: 'broker_unavailable', retryable: true });
    return { ...(await status(pool, topic.name, fault ?? topic, pipeline, store)), away: away() };
  }, statusMs);
  app.get(
    '/v1/status',
    {
      schema: {
        summary:
          'Consumers, partitions, servers and counts, with what to do first: as `visionscale status --json`',
        response: { 200: answer('The status', schemas.status), ...problems(...read), ...unavailable },
      },
    },
    async () => {
      needDatabase();
      // Interfaces have no index signature, which a loose schema asks for.
      return (await askStatus()) as unknown as z.infer<typeof schemas.status>;
    },
  );

  const recent = Object.entries(windows).map(([name, window]) => ({
    name,
    activity: new RecentActivity(pool, { pipeline, ...window }),
  }));
  const asked = Object.fromEntries(
    recent.map(({ name, activity }) => [name, sharedAnswer(() => activity.read(), activityMs)]),
  );
  void watchLag(
    { pool, topic, pipeline, isAway: () => servers.away.some(({ server }) => server !== 'store') },
    recent.map(({ activity }) => activity.lag),
    closing,
  );
  app.get(
    '/v1/activity',
    {
      schema: {
        summary: 'Images, latency and waiting messages over time, in equal spans',
        querystring: schemas.activityQuery,
        response: { 200: answer('The spans', schemas.activity), ...problems(400, ...read), ...unavailable },
      },
    },
    async ({ query }) => {
      needDatabase();
      return { ...(await asked[query.window]!()), deadlineMs };
    },
  );

  const since = () => new Date(Date.now() - recentMinutes * 60_000);
  const askBelts = sharedAnswer(async () => {
    const [{ belts, others }, models] = await Promise.all([
      readBelts(pool, pipeline, since(), mostBelts),
      listBeltModels(pool, pipeline),
    ]);
    const own = new Map(models.map(({ belt, ...model }) => [belt, model]));
    return {
      minutes: recentMinutes,
      belts: belts.map((one) => ({ ...one, model: (one.belt !== null && own.get(one.belt)) || null })),
      others,
    };
  }, beltsMs);
  app.get(
    '/v1/belts',
    {
      schema: {
        summary: `Belts of the last ${recentMinutes} minutes, the busiest first: images, unknown ones, latency, model`,
        response: { 200: answer('The belts', schemas.belts), ...problems(...read), ...unavailable },
      },
    },
    () => {
      needDatabase();
      return askBelts();
    },
  );

  const counts = sharedAnswer(() => countByBin(pool, pipeline, since()), activityMs);
  app.get(
    '/v1/bins/counts',
    {
      schema: {
        summary: 'Results of the last 15 minutes by bin, and why they went there',
        response: { 200: answer('The counts', binCounts), ...problems(...read), ...unavailable },
      },
    },
    async () => {
      needDatabase();
      return { minutes: recentMinutes, bins: await counts() };
    },
  );

  for (const url of ['/v1/access', '/v1/status', '/v1/activity', '/v1/belts', '/v1/bins/counts'])
    refuseOtherMethods(app, url, ['GET', 'HEAD']);
}
