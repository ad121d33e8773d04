/** What `classify` does: through a server, or on this machine. Each way loads its own parts. */
import { UsageError } from '../../lib/base/errors.ts';
import type { Context } from '../shared/run.ts';

export interface ClassifyFlags {
  local?: boolean;
  include: string[];
  exclude: string[];
  followLinks?: boolean;
  limit?: number;
  concurrency?: number;
  rate?: number;
  out?: string;
  again?: boolean;
}

export default async function (
  context: Context,
  given: string | undefined,
  flags: ClassifyFlags,
): Promise<number> {
  const { config } = context;
  const path = given ?? config.imageDir;
  if (path === undefined) {
    throw new UsageError(
      'classify needs a directory of images',
      'visionscale classify <dir> --server <url>, or --local --model <file.onnx>; or set IMG_DIR',
    );
  }
  if (flags.local === true) {
    const only = (['out', 'again', 'rate', 'concurrency'] as const).find((name) => flags[name] !== undefined);
    if (only !== undefined) throw new UsageError(`--${only} goes with --server, not with --local`);
    const local = await import('./local.ts');
    return local.default(context, path, flags);
  }
  if (config.remote.server === undefined) {
    throw new UsageError(
      'choose where to classify: --server <url> or --local',
      'VISIONSCALE_SERVER also names a server; --local classifies on this machine.',
    );
  }
  const remote = await import('./remote.ts');
  return remote.default(context, path, config.remote.server, flags);
}
