/** Which engine to use: the one asked for, or the fastest that opens. */
import { VisionscaleError } from '../errors.ts';
import type { EngineName } from './classifier.ts';
import { fastestFirst } from './engines/engines.ts';

/**
 * Opens the engine asked for; for `auto` the first, in order of speed, that is not `engine_unavailable`. Any other error
 * is the model's fault and would be the same with the next engine. `onNotice` is told what `auto` took, and why.
 */
export async function chooseEngine<T>(
  wanted: EngineName | 'auto',
  onNotice: (text: string) => void,
  open: (engine: EngineName) => Promise<T>,
): Promise<{ engine: EngineName; opened: T }> {
  if (wanted !== 'auto') return { engine: wanted, opened: await open(wanted) };
  let fastest: VisionscaleError | undefined;
  for (const engine of fastestFirst) {
    try {
      const opened = await open(engine);
      onNotice(
        fastest === undefined ? `engine ${engine}` : `engine ${engine}: ${fastest.message}. ${fastest.hint}`,
      );
      return { engine, opened };
    } catch (error) {
      if (!(error instanceof VisionscaleError) || error.code !== 'engine_unavailable') throw error;
      fastest ??= error; // the one worth installing
    }
  }
  throw fastest ?? new Error('there are no engines');
}
