/** Results: in pages back in time, and as they come. */
import { z } from 'zod';
import { isUnknown } from '../../../base/classification.ts';
import {
  type Result,
  type ResultPlace,
  readResultPage,
  type StreamedResult,
} from '../../../systems/database/tables/results.ts';
import { Places, senderOf } from '../admission/senders.ts';
import { type App, type SharedByRoutes, refuseOtherMethods } from '../context.ts';
import { eventStream, rowPlace } from '../listeners.ts';
import { Problem } from '../problem.ts';
import { answer, problems } from '../schemas/common.ts';
import * as schemas from '../schemas/results.ts';

/** Most listeners of the stream at a time, in all and of one sender. */
const mostListeners = { all: 500, each: 16 };

export function resultRoutes(app: App, { deps, options, feed, closing }: SharedByRoutes): void {
  const { pipeline } = options;

  app.get(
    '/v1/results',
    {
      schema: {
        summary: 'Results, latest first, in pages',
        querystring: schemas.resultsQuery,
        response: { 200: answer('A page', schemas.resultPage), ...problems(400, 401, 403) },
      },
    },
    async ({ query: { limit, cursor, ...filter } }) => {
      const before = cursor === undefined ? null : readCursor(cursor);
      const page = await readResultPage(deps.pool, pipeline, filter, { before, limit });
      const { results, next, lookedBackTo } = page;
      return {
        results,
        next: next && cursorOf(next),
        lookedBackTo: lookedBackTo?.toISOString() ?? null,
      };
    },
  );

  const listeners = new Places(mostListeners);
  app.get(
    '/v1/results/stream',
    {
      exposeHeadRoute: false,
      schema: {
        summary: 'Results as they come: server-sent events, resumed with Last-Event-ID',
        querystring: schemas.streamQuery,
        response: {
          200: { description: 'Events', content: { 'text/event-stream': { schema: z.string() } } },
          ...problems(400, 401, 403, 429),
        },
      },
    },
    async ({ query: { after, ...filter }, headers, token, ip }, reply) => {
      const given = headers['last-event-id'] ?? after;
      const from = given === undefined || given === '' ? null : rowPlace(String(given));
      if (from === undefined)
        throw new Problem(400, 'invalid_request', 'Last-Event-ID: is not from this stream');
      const sender = senderOf(token, ip);
      const full = listeners.full(sender);
      if (full !== undefined) throw tooMany(full);
      const leave = listeners.take(sender);
      const stream = eventStream();
      const over = AbortSignal.any([stream.gone, closing]);
      const wanted = matcher(filter);
      const follow = async () => {
        const place = from ?? (await feed.end());
        stream.begin(place);
        const take = (results: readonly StreamedResult[]) => {
          const chosen = results.filter(({ result }) => wanted(result));
          return chosen.length > 0 ? stream.send(chosen) : undefined;
        };
        await feed.follow(place, take, over);
      };
      void follow()
        // The listener comes again, from where it was.
        .catch(() => undefined)
        .finally(() => {
          leave();
          stream.end();
        });
      return (
        reply
          .header('content-type', 'text/event-stream; charset=utf-8')
          .header('cache-control', 'no-store')
          // Asks a proxy of the nginx kind not to hold events back.
          .header('x-accel-buffering', 'no')
          .send(stream.body as never)
      );
    },
  );

  refuseOtherMethods(app, '/v1/results', ['GET', 'HEAD']);
  refuseOtherMethods(app, '/v1/results/stream', ['GET']);
}

function tooMany(full: 'all' | 'each'): Problem {
  return full === 'all'
    ? new Problem(429, 'busy', 'the stream already has too many listeners', { retryAfter: 10 })
    : new Problem(429, 'busy', `this sender already has ${mostListeners.each} streams open`, {
        hint: 'Close a stream, or share one: a sender is a token, or an address where there are no tokens.',
        retryAfter: 10,
      });
}

interface StreamFilter {
  category?: string | undefined;
  bin?: string | undefined;
  model?: string | undefined;
  belt?: string | undefined;
  consumer?: string | undefined;
  unknown?: boolean | undefined;
}

function matcher(filter: StreamFilter): (result: Result) => boolean {
  const { category, bin, model, belt, consumer, unknown } = filter;
  const fits = (wanted: string | undefined, ...values: (string | null)[]) =>
    wanted === undefined || values.includes(wanted);
  return (result) =>
    fits(category, result.category) &&
    fits(bin, result.bin) &&
    fits(model, result.model.name, `${result.model.name}@${result.model.version}`) &&
    fits(belt, result.belt) &&
    fits(consumer, result.hostname) &&
    (unknown === undefined || unknown === isUnknown(result.novelty));
}

function cursorOf({ time, row }: ResultPlace): string {
  return Buffer.from(`t${time}r${row}`).toString('base64url');
}

function readCursor(cursor: string): ResultPlace {
  const [, time, row] =
    /^t(\d{1,16})r(\d{1,15})$/.exec(Buffer.from(cursor, 'base64url').toString('latin1')) ?? [];
  if (time === undefined)
    throw new Problem(400, 'invalid_request', 'cursor: was not given out by this server');
  return { time: Number(time), row: Number(row) };
}
