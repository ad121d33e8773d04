/** Thumbnails as data URIs, within a budget: the report stays a file that can be mailed. */
import { realpath } from 'node:fs/promises';
import { readImageFile } from '../../../base/files/read-file.ts';
import { defaultLimits } from '../../../models/images/limits.ts';
import { thumbnail } from '../../../models/images/small.ts';
import { html, type Html } from './html.ts';

/** Pixels: shown at half of it, so that it is sharp on any screen. */
const side = 192;
/** Of all thumbnails of a report together, as they are encoded. */
const budget = 2 * 2 ** 20;

export class Thumbnails {
  #left = budget;
  readonly #made = new Map<string, Html | undefined>();

  /** Undefined where the image is gone or cannot be read by now, or where the budget is spent. */
  async of(path: string): Promise<Html | undefined> {
    if (!this.#made.has(path)) this.#made.set(path, await this.#make(path));
    return this.#made.get(path);
  }

  async #make(path: string): Promise<Html | undefined> {
    if (this.#left <= 0) return undefined;
    try {
      const bytes = await thumbnail(await readImageFile(await realpath(path), defaultLimits.maxBytes), side);
      const encoded = bytes.toString('base64');
      if (encoded.length > this.#left) return undefined;
      this.#left -= encoded.length;
      return html`<img alt="" src="data:image/jpeg;base64,${encoded}" />`;
    } catch {
      // It was judged a moment ago; a report without one picture is still a report.
      return undefined;
    }
  }
}
