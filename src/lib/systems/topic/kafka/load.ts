/** Loads node-rdkafka, an optional dependency with a native part, and says which codecs its build lacks. */
import { createRequire } from 'node:module';
import type * as Rdkafka from 'node-rdkafka';
import { errorMessage, TopicError } from '../../../base/errors.ts';

export type { Rdkafka };

/** Throws TopicError `node_rdkafka_missing` where it is absent, was not compiled, or is for another Node version. */
export function loadRdkafka(): typeof Rdkafka {
  try {
    return createRequire(import.meta.url)('node-rdkafka') as typeof Rdkafka;
  } catch (error) {
    const [reason] = errorMessage(error).split('\n');
    throw new TopicError(`Kafka needs the package node-rdkafka, which does not load: ${reason}`, {
      code: 'node_rdkafka_missing',
      hint:
        'Run: npm install node-rdkafka (compiles librdkafka: 150-200 s; needs a C++ compiler, make and python3).\n' +
        'With libzstd-dev installed before, it reads messages compressed with zstd.\n' +
        'On Debian or Ubuntu faster: apt-get install librdkafka-dev, then BUILD_LIBRDKAFKA=0 npm install node-rdkafka (13 s).\n' +
        'Without Kafka: leave KAFKA_BROKERS unset, and the embedded topic is used.',
      cause: error,
    });
  }
}

// What messages may be compressed with, and what of it a build of librdkafka lacks: it has what was there to build it.

const codecs = ['gzip', 'snappy', 'lz4', 'zstd'];

/** `features`: as node-rdkafka tells them. */
export function codecsOf(features: readonly string[]): { there: string[]; missing: string[] } {
  return {
    there: codecs.filter((codec) => features.includes(codec)),
    missing: codecs.filter((codec) => !features.includes(codec)),
  };
}

/** How a build comes to have what it lacks. */
export const codecHint =
  'Debian, Ubuntu: apt-get install libzstd-dev zlib1g-dev; Fedora: dnf install libzstd-devel zlib-devel; macOS: brew install zstd.\n' +
  'Then build it anew: npm rebuild node-rdkafka (150 to 200 s).';

/** Undefined where librdkafka lacks none, and cannot read the messages for another reason. */
export function codecMissing(
  features: readonly string[],
  { topic, partition, brokers, cause }: { topic: string; partition: number; brokers: string; cause: unknown },
): TopicError | undefined {
  const { missing } = codecsOf(features);
  if (missing.length === 0) return undefined;
  return new TopicError(
    `Kafka at ${brokers}: partition ${partition} of the topic ${topic} holds messages compressed with ${missing.join(' or ')}, which this build of librdkafka cannot read`,
    {
      code: 'codec_missing',
      hint: `${codecHint}\nOr let senders and topic use another compression.type, such as lz4; what is in the topic stays as it is.`,
      cause,
    },
  );
}
