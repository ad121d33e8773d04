/** Matches librdkafka's answers to asynchronous commits with those who wait for them. */
import type { LibrdKafkaError, TopicPartitionOffset } from 'node-rdkafka';
import { TopicError } from '../../../base/errors.ts';
import { asError } from './client.ts';

/** Longest wait for an answer, ms: a broker may have to become the group's coordinator first. */
const answerMs = 15_000;

interface Waiting {
  partition: number;
  offset: number;
  resolve: () => void;
  reject: (error: Error) => void;
}

export class PendingCommits {
  #waiting: Waiting[] = [];

  get size(): number {
    return this.#waiting.length;
  }

  /** Settles when the commit, which is to be sent next, is answered. Rejects with what the broker said. */
  add(partition: number, offset: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const waiting = { partition, offset, resolve, reject };
      this.#waiting.push(waiting);
      const giveUp = () => {
        this.#waiting = this.#waiting.filter((one) => one !== waiting);
        reject(
          new TopicError('Kafka did not answer a commit in time', {
            code: 'commit_timeout',
            retryable: true,
          }),
        );
      };
      const timer = setTimeout(giveUp, answerMs);
      waiting.resolve = () => {
        clearTimeout(timer);
        resolve();
      };
      waiting.reject = (error: Error) => {
        clearTimeout(timer);
        reject(error);
      };
    });
  }

  /** To be called from offset_commit_cb. The broker answers in order, so the first that fits is meant. */
  settle(error: LibrdKafkaError | undefined, offsets: readonly TopicPartitionOffset[]): void {
    for (const { partition, offset } of offsets) {
      const at = this.#waiting.findIndex((one) => one.partition === partition && one.offset === offset);
      const [found] = at < 0 ? [] : this.#waiting.splice(at, 1);
      if (error) found?.reject(asError(error));
      else found?.resolve();
    }
  }

  rejectAll(error: Error): void {
    for (const { reject } of this.#waiting.splice(0)) reject(error);
  }
}
