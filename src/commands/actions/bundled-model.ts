/** The settings of a command that is to use the model that comes with visionscale. */
import { partsModelDirectory } from '../../lib/models/store/entry.ts';
import type { Context } from '../run.ts';

/** The same for the command itself and for the processes that it starts. */
export function withBundledModel(context: Context): Context {
  return {
    ...context,
    config: { ...context.config, model: partsModelDirectory },
    env: { ...context.env, VISIONSCALE_MODEL: partsModelDirectory },
  };
}
