/** How everything fares, and what the asker may do. */
import { z } from 'zod';
import { serverNames } from '../../server-watch.ts';
import { verdictKinds } from '../../status-verdict.ts';
import { nullableText, problem, time } from './common.ts';

export const rights = z
  .object({
    tokens: z.boolean().describe('Whether the server asks for tokens.'),
    token: nullableText.describe('The name of yours.'),
    may: z.object({
      read: z.boolean(),
      write: z.boolean().describe('Send images.'),
      operate: z.boolean().describe('Act on dead letters, correct labels, switch models, change bins.'),
    }),
  })
  .meta({ id: 'Rights' });

const server = z.object({ reachable: z.boolean(), reason: nullableText });

const away = z
  .array(z.object({ server: z.enum(serverNames), reason: z.string(), since: time }))
  .describe('Servers that do not answer, those that went first coming first.');

/** Beside what every problem has. */
export const awayProblem = problem.extend({ away }).meta({ id: 'AwayProblem' });

const consumer = z.looseObject({
  owner: z.string().describe('host:pid.'),
  hostname: z.string(),
  state: z.string(),
  detail: nullableText.describe('Why it waits.'),
  since: time.describe('Of its state.'),
  heardAt: time.describe('When it last told anything.'),
  model: nullableText,
  engine: nullableText,
  imagesLastMinute: z.number().int(),
  cpuCores: z
    .number()
    .nullable()
    .describe(
      'Cores that its processes kept busy, the mean of the last 10 s; null: not known yet, or not told by its version. ' +
        'Not on Linux: without the processes that classify.',
    ),
  memoryBytes: z.number().int().nullable().describe('Resident memory of the same processes.'),
  live: z.boolean(),
});

const partition = z.looseObject({
  partition: z.number().int(),
  lag: z.number().int().nullable(),
  owner: nullableText,
  hostname: nullableText,
  state: z
    .string()
    .describe('starting, consuming, waiting, stalled or draining; expired or free where nobody is at work.'),
  since: time.nullable().describe('Of its state; null: nobody has ever owned it.'),
  detail: nullableText.describe('Why.'),
});

const drift = z.looseObject({
  belt: nullableText.describe('Null: images without a belt.'),
  kind: z.enum(['unknown', 'confidence', 'classes']),
  since: nullableText.describe('Null: since its first images, compared with training.'),
  from: z.number().describe('In percent: unknown images, mean confidence, or images of `category`.'),
  to: z.number(),
  category: nullableText,
});

/** Loose: `visionscale status --json` has more. */
export const status = z
  .looseObject({
    pipeline: z.string(),
    topic: z.string(),
    images: z.number().int(),
    produced: z.number().int(),
    predictions: z.number().int(),
    deadLetters: z.number().int(),
    deadLettersByCode: z.record(z.string(), z.number().int()),
    partitions: z.array(partition),
    consumers: z.array(consumer),
    silent: z.array(consumer).describe('That hang, or ended without a word within the last hour.'),
    model: z.looseObject({
      active: nullableText,
      digest: nullableText,
      disagreement: z.boolean(),
      belts: z.array(z.looseObject({ belt: z.string(), name: z.string(), version: z.string() })),
    }),
    drift: z.array(drift).describe('Belts that have changed.'),
    bins: z.object({ version: z.number().int(), source: z.string() }).nullable(),
    problems: z.array(z.string()),
    servers: z.object({ database: server, topic: server, store: server.nullable() }),
    away,
    time,
    lastPrediction: time.nullable(),
    verdict: z
      .looseObject({
        ok: z.boolean(),
        kind: z.enum(verdictKinds),
        text: z.string(),
        finding: z.string().describe('The text without its command.'),
        command: nullableText.describe('What to run first; null: nothing, or no command does it.'),
      })
      .describe('What to do first.'),
  })
  .meta({ id: 'Status' });

export const activityQuery = z.strictObject({
  window: z
    .enum(['15m', '24h'])
    .default('15m')
    .describe('The last 15 minutes in spans of 5 s, or the last day of 5 min.'),
});

export const activity = z
  .object({
    seconds: z.number().int().describe('Length of a span.'),
    points: z.array(
      z.object({
        at: z.number().describe('When the span began, in seconds since 1970.'),
        came: z
          .number()
          .nullable()
          .describe(
            'Messages that came into the topic; null where this server did not look for the whole span.',
          ),
        waiting: z
          .number()
          .int()
          .nullable()
          .describe('Messages not yet recorded, at most; null where this server did not look.'),
        done: z.number().int(),
        failed: z.number().int().describe('Dead letters.'),
        late: z.number().int().describe('Results beyond the deadline.'),
        latencyP50: z.number().nullable().describe('From capture to row, in milliseconds.'),
        latencyP99: z.number().nullable(),
        workP50: z.number().nullable().describe('Fetching, decoding and classifying alone.'),
        waitP50: z
          .number()
          .nullable()
          .describe('The rest of the latency: waiting in the topic and for its turn, and being recorded.'),
      }),
    ),
    partitions: z
      .array(z.object({ partition: z.number().int(), waiting: z.array(z.number().int().nullable()) }))
      .describe('`waiting` of each partition in each span; empty where there are more than 6.'),
    deadlineMs: z
      .number()
      .nullable()
      .describe('From capture to row; null where this server was told of no deadline.'),
  })
  .meta({ id: 'Activity' });

export const belts = z
  .object({
    minutes: z.number().int(),
    belts: z.array(
      z.object({
        belt: nullableText.describe('Null: images without a belt.'),
        images: z.number().int(),
        unknown: z
          .number()
          .int()
          .nullable()
          .describe('Unlike every class of the model; null where its model does not tell.'),
        late: z.number().int().describe('Beyond the deadline.'),
        latencyP50: z.number().nullable().describe('From capture to row, in milliseconds.'),
        last: time,
        model: z
          .object({ name: z.string(), version: z.string(), digest: z.string() })
          .nullable()
          .describe('Its own; null: it takes that of the pipeline.'),
      }),
    ),
    others: z.number().int().describe('How many belts are left out.'),
  })
  .meta({ id: 'Belts' });

export const health = z.object({ status: z.literal('ok') });

export const ready = z.object({
  ready: z.boolean(),
  draining: z.boolean(),
  checks: z.object({ database: z.string(), topic: z.string(), store: z.string() }),
});
