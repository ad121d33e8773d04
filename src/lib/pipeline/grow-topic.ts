/** Adds partitions to a pipeline's topic, and to those of its results, so that all spread keys alike. */
import { VisionscaleError } from '../base/errors.ts';
import type { ResultTopics } from '../systems/publish/topics.ts';
import { topicMissing } from '../systems/topic/limits.ts';
import type { Growth, Topic } from '../systems/topic/topic.ts';

/** One topic, as it is or would be. */
export interface TopicGrowth extends Growth {
  name: string;
}

/**
 * The topics that would gain partitions, of those that exist. Throws `topic_missing`, or `not_more_partitions` where the topic
 * has more than that, or none of them fewer.
 */
export async function plannedGrowth(
  topic: Topic,
  results: ResultTopics | null,
  partitions: number,
): Promise<TopicGrowth[]> {
  const there = await topic.partitions();
  if (there === 0) throw topicMissing(topic.name);
  if (there > partitions) throw notMore(topic.name, there, partitions);
  const all = [{ name: topic.name, partitions: there }, ...((await results?.look()) ?? [])];
  const fewer = all.filter(({ partitions: its }) => its > 0 && its < partitions);
  if (fewer.length === 0) throw notMore(topic.name, there, partitions);
  return fewer.map(({ name, partitions: before }) => ({ name, before, partitions }));
}

function notMore(name: string, there: number, wanted: number): VisionscaleError {
  const [what, hint] =
    there === wanted
      ? [`the topic ${name} has ${there} partitions already`, `Ask for more than ${there}.`]
      : [
          `the topic ${name} has ${there} partitions: it cannot have ${wanted}, because a topic never loses partitions`,
          `Ask for more than ${there}. For fewer, create a topic under another name and set KAFKA_TOPIC.`,
        ];
  return new VisionscaleError(what, { code: 'not_more_partitions', hint });
}

/** The topic first: if that fails, nothing has changed; if a later one does, the same call goes on. */
export async function growTopics(
  topic: Topic,
  results: ResultTopics | null,
  partitions: number,
): Promise<TopicGrowth[]> {
  const first = { name: topic.name, ...(await topic.grow(partitions)) };
  const others = (await results?.grow(partitions)) ?? [];
  return [first, ...others].filter((one) => one.before < one.partitions);
}
