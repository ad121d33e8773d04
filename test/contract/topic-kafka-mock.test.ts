/** The contract of a topic on librdkafka's mock cluster: the Kafka code, with npm alone. */
import { openTopic } from '../../src/lib/systems/topic/open.ts';
import { describeRdkafka, mockCluster } from '../support/mock-kafka.ts';
import { itThorough } from '../support/thorough.ts';
import { describeTopic } from './topic.ts';

describeRdkafka('node-rdkafka', () => {
  describeTopic(
    'Kafka (librdkafka’s mock cluster)',
    async () => {
      const cluster = await mockCluster();
      return {
        async open(name) {
          if (/^[\w.-]+$/.test(name)) await cluster.createTopic(name);
          return openTopic({
            kind: 'kafka',
            brokers: cluster.brokers,
            name,
            properties: { 'fetch.wait.max.ms': '10' }, // the mock lets a fetch wait that long even when records come
          });
        },
        maxValueBytes: 1_000_000,
        readAhead: 2,
        partitions: 4,
        complete: false,
        settleMs: 15_000,
        [Symbol.asyncDispose]: () => cluster[Symbol.asyncDispose](),
      };
    },
    itThorough,
  );
});
