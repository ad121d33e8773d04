#!/usr/bin/env node
/** The command. What Node 22 and newer have compiled they keep for the next start, and for this program's other processes. */
import module from 'node:module';
import { join } from 'node:path';
import { env } from 'node:process';

// Not below the temporary directory, which is Node's own choice: another user could leave code for us there.
const caches = env.XDG_CACHE_HOME || (env.HOME ? join(env.HOME, '.cache') : env.LOCALAPPDATA);
if (caches && module.enableCompileCache) {
  const directory = join(caches, 'visionscale', 'compiled');
  const { status } = module.enableCompileCache(directory);
  if (status === module.constants.compileCacheStatus.ENABLED) env.NODE_COMPILE_CACHE = directory;
}

await import('../dist/main.js');
