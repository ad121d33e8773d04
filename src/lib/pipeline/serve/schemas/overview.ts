/** How everything fares, and what the asker may do. */
import { z } from 'zod';
import { nullableText, time } from './common.ts';

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
    time,
    lastPrediction: time.nullable(),
    verdict: z.looseObject({ ok: z.boolean(), text: z.string() }).describe('What to do first.'),
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
          .describe('Messages that came into the topic; null if nobody looked then.'),
        done: z.number().int(),
        failed: z.number().int().describe('Dead letters.'),
        late: z.number().int().describe('Results beyond the deadline.'),
        latencyP50: z.number().nullable().describe('From capture to row, in milliseconds.'),
        latencyP99: z.number().nullable(),
        workP50: z
          .number()
          .nullable()
          .describe('Fetching and classifying alone; the rest of the latency is waiting.'),
      }),
    ),
  })
  .meta({ id: 'Activity' });

export const health = z.object({ status: z.literal('ok') });

export const ready = z.object({
  ready: z.boolean(),
  draining: z.boolean(),
  checks: z.object({ database: z.string(), topic: z.string(), store: z.string() }),
});
