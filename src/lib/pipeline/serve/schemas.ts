/** The shapes of requests and answers: checked on the way in, and what the OpenAPI document is made of. */
import { z } from 'zod';
import { durationMs } from '../../base/duration.ts';
import { maxRequestIdBytes } from '../../systems/message/request.ts';
import { parseSince } from '../../systems/message/values.ts';

/** Longest time that a request may be held for its result, in milliseconds. */
export const longestWaitMs = 30_000;

const text = (most: number) =>
  z
    .string()
    .min(1)
    .max(most)
    // eslint-disable-next-line no-control-regex -- as JSON Schema knows it, without \p
    .regex(/^[^\x00-\x1f\x7f-\x9f]*$/, 'must not contain control characters');

const wait = z
  .string()
  .max(20)
  .regex(/^\d+(\.\d+)?(ms|s)$|^0$/, 'must be a time such as 500ms or 5s')
  .transform((value) => Math.min(durationMs(value) ?? 0, longestWaitMs))
  .optional()
  .describe('How long to wait for the result: 500ms, 5s; at most 30s.');

const moment = z
  .string()
  .max(40)
  .transform((value, context) => {
    try {
      return parseSince(value);
    } catch {
      context.addIssue({ code: 'custom', message: 'must be a time ago (15m, 2h, 7d) or a date (ISO 8601)' });
      return z.NEVER;
    }
  });

export const imageParams = z.object({ id: text(maxRequestIdBytes).describe('The request id.') });

export const waitQuery = z.strictObject({ wait });

/** Loose: the other headers of HTTP stay. */
export const imageHeaders = z.looseObject({
  'visionscale-image-name': z.string().optional().describe('What the image is called, in UTF-8.'),
  'visionscale-belt': z.string().max(256).optional().describe('The belt: up to 256 bytes of text.'),
  'visionscale-captured-at': z
    .string()
    .max(40)
    .optional()
    .describe('When it was taken: ISO 8601, or milliseconds since 1970. Default: when the request arrived.'),
  'idempotency-key': z
    .string()
    .regex(/^[\x21-\x7e]{1,255}$/, 'must be 1 to 255 printable characters without spaces')
    .optional()
    .describe('The same image sent again under the same key counts once; another image is refused.'),
  traceparent: z.string().optional().describe('W3C trace context; travels to the row.'),
});

export const originalHeaders = z.looseObject({
  img_name: z.string().min(1).describe('The name of the image, with the extension of an image format.'),
});

const filters = {
  category: text(1000).optional(),
  bin: text(1000).optional(),
  model: text(1000).optional().describe('The name of the model.'),
  belt: text(256).optional(),
  unknown: z
    .enum(['true', 'false'])
    .transform((value) => value === 'true')
    .optional()
    .describe('`true`: only objects unlike every class of the model; `false`: only others.'),
};

export const resultsQuery = z.strictObject({
  ...filters,
  key: text(1024).optional().describe('The image key.'),
  since: moment.optional().describe('Processed then or later: 15m, 2h, 7d ago, or ISO 8601.'),
  until: moment.optional().describe('Processed before then.'),
  below: z.coerce.number().min(0).max(101).optional().describe('Confidence below this, in percent.'),
  limit: z.coerce.number().int().min(1).max(500).default(50),
  cursor: text(100).optional().describe('`next` of the previous page.'),
});

export const streamQuery = z.strictObject({
  ...filters,
  after: text(40)
    .optional()
    .describe('The id of the last event, for clients that cannot send Last-Event-ID.'),
});

const score = z.object({ category: z.string(), confidence: z.number() });
const nullableText = z.string().nullable();

export const result = z
  .object({
    id: z.string().describe('The request id.'),
    imageKey: z.string(),
    category: z.string(),
    confidence: z.number().describe('In percent, 0 to 100.'),
    top: z.array(score).describe('The best five.'),
    novelty: z
      .number()
      .nullable()
      .describe('How unlike every class; 1 or more: unknown. Null where the model does not tell.'),
    bin: nullableText.describe('Where the sorter should put it; null if the pipeline has no bins.'),
    binReason: nullableText,
    binVersion: z.number().int().nullable(),
    model: z.object({ name: z.string(), version: z.string(), digest: z.string() }),
    latencyMs: z.number().nullable().describe('From capture to the row.'),
    capturedAt: nullableText,
    processedAt: z.string(),
    belt: nullableText,
    hostname: z.string(),
    pipeline: z.string(),
    traceparent: nullableText,
  })
  .meta({ id: 'Result' });

export const accepted = z
  .object({ id: z.string(), status: z.literal('pending'), imageKey: z.string() })
  .meta({ id: 'Accepted' });

export const problem = z
  .object({
    type: z.string(),
    title: z.string(),
    status: z.number().int(),
    code: z.string().describe('Stable, for programs.'),
    detail: z.string(),
    hint: z.string().optional(),
    id: z.string().optional().describe('The image concerned, if it has an id.'),
  })
  .meta({ id: 'Problem' });

/** One image of several: what it would have been answered alone. */
const part = z.object({
  name: z.string().nullable(),
  status: z.number().int(),
  location: z.string().nullable(),
  accepted: accepted.optional(),
  result: result.optional(),
  problem: problem.optional(),
});

export const several = z.object({ images: z.array(part) }).meta({ id: 'Several' });

export const image = z
  .object({
    id: z.string(),
    status: z.enum(['pending', 'done', 'failed']),
    imageKey: nullableText,
    result: result.nullable(),
    failure: z
      .object({ code: z.string(), message: z.string(), stage: z.string(), at: z.string() })
      .nullable()
      .describe('Why it can never be classified: its dead letter.'),
  })
  .meta({ id: 'Image' });

export const resultPage = z
  .object({
    results: z.array(result),
    next: nullableText.describe('The cursor of the next page; null at the end.'),
  })
  .meta({ id: 'ResultPage' });

export const bins = z
  .object({
    version: z.number().int().nullable().describe('Null if the pipeline has no bins.'),
    source: nullableText,
    digest: nullableText,
    createdAt: nullableText,
    rules: z.unknown(),
    text: nullableText.describe('The rules as a YAML file.'),
  })
  .meta({ id: 'Bins' });

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

const time = z.date().or(z.string()).describe('ISO 8601.');
const server = z.object({ reachable: z.boolean(), reason: nullableText });
const consumer = z.looseObject({
  owner: z.string().describe('host:pid.'),
  hostname: z.string(),
  state: z.string(),
  detail: nullableText,
  since: time,
  model: nullableText,
  engine: nullableText,
  imagesLastMinute: z.number().int(),
  live: z.boolean(),
});
const partition = z.looseObject({
  partition: z.number().int(),
  lag: z.number().int().nullable(),
  owner: nullableText,
  hostname: nullableText,
  state: z.string(),
  since: time.nullable(),
  detail: nullableText,
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
    model: z.object({ active: nullableText, digest: nullableText, disagreement: z.boolean() }).loose(),
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

export const binCounts = z
  .object({
    minutes: z.number().int(),
    bins: z.array(z.object({ bin: nullableText, reason: nullableText, results: z.number().int() })),
  })
  .meta({ id: 'BinCounts' });

export const binary = z.string().meta({ format: 'binary' });

/** Only these, so that what is kept of them is bounded. */
const pictureSides = ['192', '1024'] as const;

export const pictureQuery = z.strictObject({
  key: text(1024).describe('The image key.'),
  side: z
    .enum(pictureSides)
    .default('192')
    .transform(Number)
    .describe('Side of the square that the picture fits into, in pixels.'),
});

export const lettersQuery = z.strictObject({
  code: text(100).optional().describe('The error code.'),
  state: z.enum(['open', 'resolved', 'dropped', 'all']).default('open'),
  limit: z.coerce.number().int().min(1).max(500).default(50),
  before: z.coerce.number().int().positive().optional().describe('`next` of the previous page.'),
});

const letter = z.object({
  id: z.number().int(),
  state: z.enum(['open', 'resolved', 'dropped']),
  stage: z.string(),
  code: z.string(),
  message: z.string(),
  imageKey: nullableText,
  requestId: z.string(),
  topic: z.string(),
  partition: z.number().int(),
  offset: z.number().int(),
  attempts: z.number().int(),
  hostname: z.string(),
  firstAt: time,
  lastAt: time,
  retrySentAt: time.nullable(),
  closedAt: time.nullable(),
});

export const letterPage = z
  .object({
    letters: z.array(letter),
    open: z.record(z.string(), z.number().int()).describe('Open ones by code.'),
    next: z.number().int().nullable(),
  })
  .meta({ id: 'DeadLetterPage' });

export const letterIds = z.strictObject({
  ids: z.array(z.int().positive()).min(1).max(1000).describe('Of dead letters.'),
});

export const retried = z.object({
  retried: z.number().int(),
  refused: z.number().int().describe('Whose message is larger than what the topic takes.'),
});

export const dropped = z.object({ dropped: z.number().int() });

export const unsureQuery = z.strictObject({
  category: text(1000).optional(),
  belt: text(256).optional(),
  model: text(1000).optional().describe('`name` or `name@version`.'),
  unknown: z
    .enum(['true', 'false'])
    .transform((value) => value === 'true')
    .optional()
    .describe('`true`: only objects unlike every class of the model, the most unlike first.'),
  below: z.coerce.number().min(0).max(101).optional().describe('Confidence below this, in percent.'),
  since: moment.optional().describe('Processed then or later: 15m, 2h, 7d ago, or ISO 8601.'),
  limit: z.coerce.number().int().min(1).max(200).default(60),
});

export const unsure = z
  .object({
    images: z.array(
      result.pick({
        imageKey: true,
        category: true,
        confidence: true,
        top: true,
        novelty: true,
        model: true,
        processedAt: true,
      }),
    ),
  })
  .meta({ id: 'Unsure' });

export const labels = z
  .object({
    labels: z.array(
      z.object({ label: z.string(), corrections: z.number().int().describe('How many images have it.') }),
    ),
  })
  .meta({ id: 'Labels' });

const label = text(500).describe('What the image really is.');
const eachOnce = (corrections: readonly { imageKey: string }[]) =>
  new Set(corrections.map(({ imageKey }) => imageKey)).size === corrections.length;
const onlyOnce = 'must name each image once';

export const corrections = z.strictObject({
  corrections: z
    .array(z.strictObject({ imageKey: text(1024), label }))
    .min(1)
    .max(200)
    .refine(eachOnce, onlyOnce),
  new: z.boolean().default(false).describe('Accept labels that the model lacks, as new classes.'),
});

const former = z
  .strictObject({
    label,
    sha256: z
      .string()
      .regex(/^[0-9a-f]{64}$/)
      .nullable(),
  })
  .nullable()
  .describe('What was said before; null: nothing.');

export const corrected = z
  .object({
    corrections: z.array(
      z.object({
        imageKey: z.string(),
        label: z.string(),
        predicted: nullableText,
        changed: z.boolean(),
        former,
      }),
    ),
  })
  .meta({ id: 'Corrected' });

export const correctionsToUndo = z.strictObject({
  corrections: z
    .array(z.strictObject({ imageKey: text(1024), label, former }))
    .min(1)
    .max(200)
    .refine(eachOnce, onlyOnce),
});

export const takenBack = z.object({ undone: z.array(z.string()).describe('Image keys.') });

const share = z.number().nullable().describe('0 to 1; null without a corrected image.');
const measured = {
  images: z.number().int().describe('Corrected images.'),
  right: z.number().int(),
  top1: share,
  interval95: z.object({ low: z.number(), high: z.number() }).nullable(),
};
const modelAccuracy = z.object({
  model: z.object({ name: z.string(), version: z.string(), digest: z.string() }),
  day: nullableText.describe('In UTC; null: all days.'),
  predicted: z.number().int().describe('Images that it predicted, corrected or not.'),
  ...measured,
  top5: share,
});

export const accuracy = z
  .object({
    models: z.array(modelAccuracy).describe('The one that predicted last comes first.'),
    days: z.array(modelAccuracy),
    note: z.string(),
    classes: z
      .array(z.object({ digest: z.string().describe('Of the model.'), label: z.string(), ...measured }))
      .describe('The worst first.'),
    confused: z
      .array(
        z.object({ digest: z.string(), label: z.string(), category: z.string(), images: z.number().int() }),
      )
      .describe('Images of `label` that the model called `category`, the most frequent first.'),
  })
  .meta({ id: 'Accuracy' });

export const health = z.object({ status: z.literal('ok') });

export const ready = z.object({
  ready: z.boolean(),
  draining: z.boolean(),
  checks: z.object({ database: z.string(), topic: z.string(), store: z.string() }),
});

/** An answer in JSON. */
export const answer = <T extends z.ZodType>(description: string, schema: T) => ({
  description,
  content: { 'application/json': { schema } },
});

export const problems = (...statuses: number[]) =>
  Object.fromEntries(
    statuses.map((status) => [
      status,
      { description: 'Problem', content: { 'application/problem+json': { schema: problem } } },
    ]),
  );

// Models.

const digest = z.string().regex(/^sha256:[0-9a-f]{64}$/, 'must be sha256: and 64 hex digits');
const beltName = text(256).optional().describe('Of this belt alone. Default: of the pipeline.');

export const publishedModels = z
  .object({
    models: z.array(
      z.object({
        digest: z.string(),
        name: z.string(),
        version: z.string(),
        labels: z.number().int().describe('How many.'),
        metrics: z.record(z.string(), z.unknown()).nullable().describe('What was measured; shares of 1.'),
        created: nullableText,
        publishedAt: time,
        parent: nullableText.describe('Digest of the model that it was made from.'),
        knows: nullableText,
        source: nullableText,
        training: z.record(z.string(), z.unknown()).nullable(),
        expected: z
          .object({
            images: z.number().int(),
            unknown: z.number().optional(),
            confidence: z.object({ mean: z.number(), sd: z.number() }),
          })
          .nullable()
          .describe('What the held-out images of training showed.'),
        usedBy: z
          .array(nullableText)
          .describe('Belts that have it as their own; null: the pipeline, and all other belts.'),
      }),
    ),
    belts: z.array(z.string()).describe('With a model of their own, or among the last 1,000 results.'),
  })
  .meta({ id: 'PublishedModels' });

const switched = {
  at: time,
  account: z.string(),
  host: z.string(),
};

export const historyQuery = z.strictObject({ limit: z.coerce.number().int().min(1).max(200).default(20) });

export const modelHistory = z
  .object({
    switches: z.array(
      z.object({
        ...switched,
        belt: nullableText.describe("Null: the pipeline's."),
        former: nullableText.describe("Null: none, or of a belt the pipeline's."),
        current: nullableText,
      }),
    ),
  })
  .meta({ id: 'ModelHistory' });

const consent = {
  confirm: z.boolean().default(false).describe('Without it the answer says what would change (409).'),
  force: z
    .boolean()
    .default(false)
    .describe('Though the bins in force do not fit, or it agrees too little with its parent.'),
};

export const useModel = z.strictObject({
  digest: digest.nullable().describe("Null, with a belt: it takes the pipeline's model again."),
  belt: beltName,
  ...consent,
});

export const rollbackModel = z.strictObject({ belt: beltName, ...consent });

const side = z.object({
  name: z.string(),
  version: z.string(),
  digest: z.string(),
  labels: z.number().int(),
  top1: z.number().nullable().describe('Share of its own test images that it got right.'),
});
const someLabels = z.object({ count: z.number().int(), some: z.array(z.string()) });

/** Beside the problem, where a switch is refused until it is confirmed. */
export const modelChange = z
  .object({
    belt: nullableText,
    before: side.nullable(),
    after: side,
    labels: z.object({ removed: someLabels, added: someLabels }),
    bins: z
      .object({ version: z.number().int(), faults: z.array(z.string()), notes: z.array(z.string()) })
      .nullable(),
    force: z.array(z.string()).describe('What only `force` overrides.'),
  })
  .meta({ id: 'ModelChange' });

export const unconfirmed = problem.extend({ change: modelChange.optional() }).meta({ id: 'Unconfirmed' });

export const modelUsed = z.object({
  digest: z.string(),
  name: z.string(),
  version: z.string(),
  belt: nullableText,
});

// Bins that are edited.

/** Of rules as text. */
export const mostRulesBytes = 64 * 1024;

const rules = z
  .string()
  .min(1)
  .max(mostRulesBytes)
  .describe('As the text of a YAML or JSON file, up to 64 KiB.');
const versionInForce = z
  .int()
  .positive()
  .nullable()
  .describe('The version that is in force and replaced; null: none.');

export const tryBins = z.strictObject({ rules });

export const useBins = z.strictObject({
  rules,
  source: text(200).describe('What to call them.'),
  version: versionInForce,
  force: z.boolean().default(false).describe('Though they name labels that the model lacks.'),
});

export const rollbackBins = z.strictObject({
  version: versionInForce,
  force: z.boolean().default(false),
});

export const triedBins = z
  .object({
    version: z.number().int().nullable().describe('In force now.'),
    checked: z.boolean().describe('False: no model was chosen, so labels could not be checked.'),
    faults: z.array(z.string()).describe('Classes and globs that name no label.'),
    notes: z.array(z.string()),
    results: z.number().int().describe('The latest ones that were tried.'),
    bins: z.array(z.object({ bin: z.string(), now: z.number().int(), then: z.number().int() })),
    moves: z.array(
      z.object({
        from: nullableText,
        to: z.string(),
        results: z.number().int(),
        examples: z.array(z.object({ id: z.string(), imageKey: z.string(), category: z.string() })),
      }),
    ),
  })
  .meta({ id: 'TriedBins' });

export const binsUsed = z.object({
  version: z.number().int(),
  created: z.boolean(),
  former: z.number().int().nullable(),
});

export const binHistory = z
  .object({
    switches: z.array(
      z.object({ ...switched, former: z.number().int().nullable(), current: z.number().int() }),
    ),
  })
  .meta({ id: 'BinHistory' });
