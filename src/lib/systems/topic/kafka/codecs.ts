/** What messages may be compressed with, and what of it a build of librdkafka lacks: it has what was there to build it. */
import { TopicError } from '../../../base/errors.ts';

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
