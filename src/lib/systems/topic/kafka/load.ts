/** Loads node-rdkafka, an optional dependency with a native part. */
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
