/** A folder and what is below it: tells of every file that is there, comes, changes or goes. */
import { stat } from 'node:fs/promises';
import { relative, sep } from 'node:path';
import { watch as chokidar } from 'chokidar';
import { errorMessage, VisionscaleError } from '../../base/errors.ts';
import { foreignKind } from '../../base/files/image-names.ts';
import type { PathFilter } from '../../base/files/walk.ts';

export interface FolderOptions {
  /** A real path. */
  dir: string;
  filter: PathFilter;
  /** Look every so many milliseconds instead of being told: for network drives, which tell nothing; null: be told. */
  pollMs: number | null;
  onFile: (path: string) => void;
  /** A file that is no image by its name, once: its kind, as `foreignKind` says it. */
  onForeign: (path: string, kind: string) => void;
  onGone: (path: string) => void;
  /** Everything that was there at the start has been told. */
  onReady: () => void;
  /** A place that cannot be watched. */
  onProblem: (error: unknown) => void;
  /** Nothing more will be told: the folder is gone, or the system refuses to watch so many. */
  onLost: (error: VisionscaleError) => void;
}

/** How often it is looked whether the folder is still the same one, in milliseconds. */
const guardMs = 2000;

/** Symbolic links are not followed. */
export function watchFolder(options: FolderOptions): AsyncDisposable {
  const { dir, filter, pollMs } = options;
  const watcher = chokidar(dir, {
    followSymlinks: false,
    // Waiting for whole files is ours to do, and editors' tricks are no camera's.
    atomic: false,
    ignored(path, stats) {
      const name = relativePath(dir, path);
      if (name === '') return false;
      const isDirectory = stats?.isDirectory() === true;
      if (isDirectory && foreignKind(lastPart(name), true) !== undefined) return true;
      if (!filter.enters(name)) return true;
      return stats !== undefined && !isDirectory && !filter.wants(name);
    },
    ...(pollMs !== null && { usePolling: true, interval: pollMs, binaryInterval: pollMs }),
  });
  const foreign = (path: string): string | undefined => {
    const name = relativePath(dir, path);
    return filter.asks?.(name) === true ? undefined : foreignKind(lastPart(name), false);
  };
  watcher
    .on('add', (path) => {
      const kind = foreign(path);
      if (kind === undefined) options.onFile(path);
      else options.onForeign(path, kind);
    })
    .on('change', (path) => {
      if (foreign(path) === undefined) options.onFile(path);
    })
    .on('unlink', options.onGone)
    .on('ready', options.onReady)
    .on('error', (error: unknown) => {
      if (isLimit(error)) options.onLost(tooMany(dir, error));
      else options.onProblem(error);
    });
  const guard = guardFolder(dir, options.onLost);
  let closing: Promise<void> | undefined;
  return {
    [Symbol.asyncDispose]() {
      guard[Symbol.dispose]();
      return (closing ??= watcher.close());
    },
  };
}

/** A drive that was taken out, or a folder that was removed and made anew, would be silent for ever. */
function guardFolder(dir: string, onLost: (error: VisionscaleError) => void): Disposable {
  let first: { ino: number; dev: number } | undefined;
  const look = async () => {
    const now = await stat(dir).catch(() => null);
    first ??= now ?? undefined;
    if (now !== null && now.ino === first?.ino && now.dev === first.dev) return;
    onLost(
      new VisionscaleError(`the folder ${dir} is gone or was replaced`, {
        code: 'folder_gone',
        hint: 'Is its drive mounted? Then start again: nothing is sent twice.',
      }),
    );
  };
  const timer = setInterval(() => void look(), guardMs);
  void look();
  return { [Symbol.dispose]: () => clearInterval(timer) };
}

function isLimit(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 'ENOSPC' || error.code === 'EMFILE');
}

function tooMany(dir: string, cause: unknown): VisionscaleError {
  return new VisionscaleError(`the system cannot watch all folders below ${dir}: ${errorMessage(cause)}`, {
    code: 'watch_limit',
    hint: 'Raise the limit (sysctl fs.inotify.max_user_watches), or poll instead: watch --poll 1s',
    cause,
  });
}

function lastPart(name: string): string {
  return name.slice(name.lastIndexOf('/') + 1);
}

/** Below `dir`, with `/`; empty for `dir` itself. */
export function relativePath(dir: string, path: string): string {
  const name = relative(dir, path);
  return sep === '/' ? name : name.replaceAll(sep, '/');
}
