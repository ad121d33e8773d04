/** Loads node-rdkafka, an optional dependency with a native part, and knows what its build may lack. */
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, dirname, join } from 'node:path';
import type * as Rdkafka from 'node-rdkafka';
import { errorMessage, TopicError } from '../../../base/errors.ts';
import { packageRoot } from '../../../base/package.ts';

export type { Rdkafka };

/** Throws TopicError `node_rdkafka_missing` where it is absent, was not compiled, or is for another Node version. */
export function loadRdkafka(): typeof Rdkafka {
  try {
    return createRequire(import.meta.url)('node-rdkafka') as typeof Rdkafka;
  } catch (error) {
    const [reason] = errorMessage(error).split('\n');
    throw new TopicError(`Kafka needs the package node-rdkafka, which does not load: ${reason}`, {
      code: 'node_rdkafka_missing',
      hint: `Run:\n${rdkafkaInstall()}\nWithout Kafka: leave KAFKA_BROKERS unset, and the embedded topic is used.`,
      cause: error,
    });
  }
}

/**
 * The lines that bring it or build it anew, the same on npm 10, 11 and 12. The last runs no install script that nobody
 * approved: a checkout approves of this one itself.
 */
export function rdkafkaInstall(root: string = packageRoot): string {
  const above = dirname(root);
  const comment = '    # compiles librdkafka: 150 to 200 s; needs a C++ compiler, make and python3';
  return [
    'apt-get install libzstd-dev    # first, for messages compressed with zstd',
    ...lines(),
    'On Debian or Ubuntu in 13 s: apt-get install librdkafka-dev first, and put BUILD_LIBRDKAFKA=0 before npm rebuild.',
  ].join('\n');

  function lines(): string[] {
    if (basename(above) !== 'node_modules') {
      return [`npm install --ignore-scripts && npm rebuild node-rdkafka${comment}`];
    }
    if (existsSync(join(dirname(above), 'package.json'))) {
      return [
        'npm pkg set --json allowScripts.node-rdkafka=true',
        `npm install --ignore-scripts node-rdkafka && npm rebuild node-rdkafka${comment}`,
      ];
    }
    return [`npm rebuild -g --allow-scripts=node-rdkafka node-rdkafka${comment}`];
  }
}

/** What messages may be compressed with; a build of librdkafka has those that were there when it was built. */
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
  'Then rebuild it: npm rebuild node-rdkafka (150 to 200 s).';

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
      hint: `${codecHint}\nOr use another compression.type for senders and topic, such as lz4; existing messages stay as they are.`,
      cause,
    },
  );
}
