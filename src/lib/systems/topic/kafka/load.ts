/** Loads node-rdkafka, an optional dependency with a native part. */
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
    'apt-get install libzstd-dev    # before: for messages that are compressed with zstd',
    ...lines(),
    'On Debian or Ubuntu in 13 s: apt-get install librdkafka-dev before, and BUILD_LIBRDKAFKA=0 before npm rebuild.',
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
