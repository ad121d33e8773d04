/** The contract of a topic on real Kafka brokers. */
import { openTopic } from '../../src/lib/systems/topic/open.ts';
import { describeWith } from '../support/servers.ts';
import { describeTopic } from './topic.ts';

describeWith('Kafka', 'with real brokers', (brokers) => {
  describeTopic('Kafka', () =>
    Promise.resolve({
      open: (name) => openTopic({ kind: 'kafka', brokers, name, properties: {} }),
      maxValueBytes: 1_000_000,
      readAhead: 2, // what librdkafka holds itself is bounded by its properties
      partitions: 3,
      complete: true,
      settleMs: 10_000,
      [Symbol.asyncDispose]: () => Promise.resolve(),
    }),
  );
});
