/** Membership of a group on the embedded topic: a heartbeat, and one loop that moves partitions, a step at a time. */
import { isRetryable } from '../../../base/errors.ts';
import { pause } from '../../../base/flow/waiting.ts';
import type { Bell } from '../../database/bell.ts';
import type { Committer, GroupHandler, Membership } from '../topic.ts';
import { memberTtlMs } from './group-store.ts';
import type { GroupStore } from './group-store.ts';

const heartbeatMs = memberTtlMs / 3;
/** How often the loop looks for dead members and free partitions when nothing rings. */
const lookMs = memberTtlMs / 6;

export class EmbeddedMembership implements Membership {
  readonly ended: Promise<void>;
  readonly #store: GroupStore;
  readonly #bell: Bell;
  readonly #handler: GroupHandler;
  readonly #commits: Committer;
  readonly #closing = new AbortController();
  /** The heart beats until everything is released, however long that takes. */
  readonly #drained = new AbortController();
  readonly #held = new Set<number>();
  /** Held, but perhaps already another's: to be revoked as lost. */
  readonly #lost = new Set<number>();
  #registered = true;
  /** When the last renewal that succeeded was begun, on this process's clock. */
  #renewedAt = performance.now();
  #fault: unknown;

  /** The member is registered already. */
  constructor(store: GroupStore, bell: Bell, handler: GroupHandler, commits: Committer) {
    this.#store = store;
    this.#bell = bell;
    this.#handler = handler;
    this.#commits = commits;
    const heart = this.#beat();
    this.ended = this.#move().finally(async () => {
      this.#drained.abort();
      await heart;
      await this.#store.leave().catch(() => undefined); // else the rows expire
    });
    this.ended.catch(() => undefined); // whoever wants to know awaits it
  }

  commit(partition: number, offset: number): Promise<void> {
    return this.#commits.commit(partition, offset);
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort();
    return this.ended.catch(() => undefined);
  }

  async #beat(): Promise<void> {
    const { signal } = this.#drained;
    for (let wait = heartbeatMs; !signal.aborted;) {
      await pause(wait, signal);
      const begun = performance.now();
      const asked = [...this.#held];
      try {
        const { alive, held } = await this.#store.renew(asked);
        this.#lose(asked.filter((partition) => !held.includes(partition)));
        if (alive) this.#renewedAt = begun;
        else this.#registered = false;
        wait = heartbeatMs;
      } catch {
        // Not reached: by the database's clock we may be dead before we hear of it.
        if (performance.now() - this.#renewedAt > memberTtlMs) {
          this.#lose(asked);
          this.#registered = false;
        }
        wait = heartbeatMs / 4;
      }
    }
  }

  async #move(): Promise<void> {
    const { signal } = this.#closing;
    try {
      while (!signal.aborted) {
        const seen = this.#bell.rings(this.#store.payload);
        try {
          await this.#step();
        } catch (error) {
          if (error === this.#fault || !isRetryable(error)) throw error;
        }
        await this.#bell.wait(this.#store.payload, seen, lookMs, signal);
      }
      await this.#giveUpLost();
      await this.#giveUp([...this.#held], false);
    } catch (error) {
      await this.#giveUp([...this.#held], false).catch(() => undefined); // the first fault is the one to tell
      throw error;
    }
  }

  /** Gives up what is lost or no longer ours, then takes what is ours and free. */
  async #step(): Promise<void> {
    await this.#giveUpLost();
    if (!this.#registered) await this.#register();
    let target = await this.#store.target();
    if (target === null) {
      this.#lose([...this.#held]);
      await this.#giveUpLost();
      await this.#register();
      target = (await this.#store.target()) ?? [];
    }
    const ours = new Set(target);
    const surplus = [...this.#held].filter((partition) => !ours.has(partition));
    if (surplus.length > 0) {
      await this.#giveUp(surplus, false);
      await this.#store.release(surplus);
    }
    const wanted = target.filter((partition) => !this.#held.has(partition));
    if (wanted.length === 0) return;
    const taken = await this.#store.acquire(wanted);
    if (taken.length === 0) return;
    for (const partition of taken) this.#held.add(partition);
    await this.#tell(this.#handler.assigned(taken));
  }

  async #register(): Promise<void> {
    const begun = performance.now();
    await this.#store.register();
    this.#registered = true;
    this.#renewedAt = begun;
  }

  #giveUpLost(): Promise<void> {
    return this.#giveUp([...this.#lost], true);
  }

  async #giveUp(partitions: number[], lost: boolean): Promise<void> {
    if (partitions.length === 0) return;
    for (const partition of partitions) this.#lost.delete(partition);
    try {
      await this.#tell(this.#handler.revoked(partitions, lost));
    } finally {
      for (const partition of partitions) this.#held.delete(partition);
    }
  }

  #lose(partitions: number[]): void {
    for (const partition of partitions) if (this.#held.has(partition)) this.#lost.add(partition);
  }

  /** What the handler throws ends the membership, even where a retry might have helped. */
  async #tell(told: Promise<void>): Promise<void> {
    try {
      await told;
    } catch (error) {
      this.#fault = error;
      throw error;
    }
  }
}
