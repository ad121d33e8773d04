/** Commits offsets to the topic behind the recording: one at a time, always the newest, never in the way. */
import { errorMessage } from '../../../base/errors.ts';
import type { Committer } from '../../../systems/topic/topic.ts';

/**
 * What is committed here is for lag tools and autoscalers; a consumer starts from the database's position. So a failure
 * is told and forgotten, and the next commit brings the newer offset.
 */
export class LatestCommit {
  readonly #committer: Committer;
  readonly #partition: number;
  readonly #onFailure: (reason: string) => void;
  #next: number | undefined;
  #running: Promise<void> | undefined;

  constructor(committer: Committer, partition: number, onFailure: (reason: string) => void) {
    this.#committer = committer;
    this.#partition = partition;
    this.#onFailure = onFailure;
  }

  commit(offset: number): void {
    this.#next = offset;
    this.#running ??= this.#run().finally(() => (this.#running = undefined));
  }

  /** Settles when everything asked for so far has been tried. */
  async flush(): Promise<void> {
    await this.#running;
  }

  async #run(): Promise<void> {
    while (this.#next !== undefined) {
      const offset = this.#next;
      this.#next = undefined;
      try {
        await this.#committer.commit(this.#partition, offset);
      } catch (error) {
        this.#onFailure(errorMessage(error));
      }
    }
  }
}
