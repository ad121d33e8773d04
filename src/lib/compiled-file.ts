/** Where the compiled code of a thread lies. */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { VisionscaleError } from './errors.ts';

/**
 * Path of the compiled `name` beside a module (its `import.meta.url`). Threads run compiled code: where the module itself is
 * run from source (tests), that is the build's. Throws `not_built`.
 */
export function compiledFile(module: string, name: string): string {
  const built = module.endsWith('.ts') ? module.replace(/^(.*)\/src\//, '$1/dist/') : module;
  const path = fileURLToPath(new URL(name, built));
  if (existsSync(path)) return path;
  throw new VisionscaleError(`${path} is missing`, {
    code: 'not_built',
    hint: 'Build the project: npm run build',
  });
}
