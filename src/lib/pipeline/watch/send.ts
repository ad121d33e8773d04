/** Sends one image that is whole: to the store, the table and the topic; what was sent before is not sent again. */
import type { Pool } from 'pg';
import { markProduced, pendingAmong } from '../../systems/database/tables/images.ts';
import { keyMessage } from '../../systems/message/key-message.ts';
import type { Producer } from '../../systems/topic/topic.ts';
import { uploadImage, type UploadImageDeps } from '../upload/upload-image.ts';

export interface SenderDeps extends UploadImageDeps {
  pool: Pool;
  producer: Producer;
}

export interface Image {
  key: string;
  content: Buffer;
  capturedAt: Date;
}

export class Sender {
  readonly #deps: SenderDeps;
  readonly #belt: string | undefined;

  constructor(deps: SenderDeps, { belt }: { belt?: string }) {
    this.#deps = deps;
    this.#belt = belt;
  }

  /**
   * A key is marked after the topic's acknowledgement. Killed in between, the next run sends it again under the same
   * request id, and the consumer's record of that request makes it one. Throws an ImageError where it is no image.
   */
  async send({ key, content, capturedAt }: Image): Promise<{ sent: boolean; replaced: boolean }> {
    const { pool, producer, images, patiently } = this.#deps;
    const [known] = await patiently(() => images.lookup([key]));
    const knownSha256 = known?.sha256 ?? null;
    const uploaded = await uploadImage(this.#deps, { key, content, knownSha256 });
    const pending = await patiently(() => pendingAmong(pool, [key]));
    if (pending.length > 0) {
      const belt = this.#belt;
      const messages = pending.map(({ round }) => keyMessage({ key, round, capturedAt, belt }));
      await patiently(() => producer.send(messages));
      await patiently(() => markProduced(pool, pending));
    }
    const replaced = uploaded === 'uploaded' && knownSha256 !== null;
    return { sent: uploaded === 'uploaded' || pending.length > 0, replaced };
  }
}
