/** Checks whether results are published: their topics, and what waits for them. */
import type { Database } from '../../systems/database/open.ts';
import { readBacklog, readRefusals } from '../../systems/database/tables/outbox.ts';
import type { ResultTopics } from '../../systems/publish/topics.ts';
import type { Topic } from '../../systems/topic/topic.ts';
import type { Check } from './doctor.ts';

/** Consumers publish within milliseconds: after so long something is in the way, or none runs. */
const oldSeconds = 60;

export interface ResultsCheckDeps {
  database: () => Promise<Database>;
  topic: () => Promise<Topic>;
  results: () => Promise<ResultTopics>;
}

export function resultsCheck(deps: ResultsCheckDeps, pipeline: string): Check {
  return {
    name: 'results topics',
    needed: false,
    run: async () => {
      const [topic, results, { pool }] = await Promise.all([deps.topic(), deps.results(), deps.database()]);
      const [states, wanted, backlog, refused] = await Promise.all([
        results.look(),
        topic.partitions(),
        readBacklog(pool, pipeline, topic.name),
        readRefusals(pool, pipeline, topic.name),
      ]);
      const missing = states.filter(({ partitions }) => partitions === 0);
      if (missing.length > 0) {
        return {
          warning: `${missing.map(({ name }) => name).join(' and ')}: not there yet`,
          hint: 'visionscale init, or the first consumer, creates them; to do without: --no-results-topic',
        };
      }
      const [other] = states.filter(({ partitions }) => partitions !== wanted);
      if (other !== undefined) {
        return {
          warning: `${other.name}: ${other.partitions} partitions, ${topic.name} has ${wanted}`,
          hint:
            'Results are spread differently from the source topic. Add partitions: ' +
            `visionscale topic grow --partitions ${Math.max(wanted, ...states.map(({ partitions }) => partitions))}`,
        };
      }
      if (refused.results + refused.deadLetters > 0) {
        return {
          warning: `${refused.results} results and ${refused.deadLetters} dead letters were refused: ${refused.reason}`,
          hint: 'They are kept. Raise max.message.bytes of the topic and KAFKA_CONF_message_max_bytes, and restart the consumers.',
        };
      }
      const { results: waiting, deadLetters, oldestSeconds } = backlog;
      const unpublished = `${waiting} results and ${deadLetters} dead letters to be published`;
      if (oldestSeconds !== null && oldestSeconds > oldSeconds) {
        return {
          warning: `${unpublished}, the oldest for ${Math.round(oldestSeconds)} s`,
          hint: 'A running consumer publishes them; if one is running, its log says what is wrong.',
        };
      }
      return `${states.map(({ name }) => name).join(', ')}; ${unpublished}`;
    },
  };
}
