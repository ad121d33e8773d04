/** Opens the topic: Kafka, or the log in PostgreSQL. node-rdkafka is loaded only where it is used. */
import type { EmbeddedTopicOptions } from './embedded/topic.ts';
import type { KafkaTopicOptions } from './kafka/topic.ts';
import type { Topic } from './topic.ts';

export type TopicConfig =
  ({ kind: 'kafka' } & KafkaTopicOptions) | ({ kind: 'embedded' } & EmbeddedTopicOptions);

/** Connects once, so that wrong settings show here. Throws what `openKafkaTopic` and `openEmbeddedTopic` throw. */
export async function openTopic(config: TopicConfig): Promise<Topic> {
  if (config.kind === 'embedded') {
    const { openEmbeddedTopic } = await import('./embedded/topic.ts');
    return openEmbeddedTopic(config);
  }
  const { openKafkaTopic } = await import('./kafka/topic.ts');
  return openKafkaTopic(config);
}
