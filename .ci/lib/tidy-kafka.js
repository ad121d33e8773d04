/** Removes what node-rdkafka's build leaves in a checkout: half a gigabyte of objects of which nothing is loaded. */
import { existsSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';

const home = join(import.meta.dirname, '../../node_modules/node-rdkafka');

// Where it was not built, or is being built, nothing is left over.
if (existsSync(join(home, 'build/Release/node-librdkafka.node'))) {
  for (const directory of ['Release/obj.target', 'Release/.deps', 'deps/include', 'deps/share']) {
    rmSync(join(home, 'build', directory), { recursive: true, force: true });
  }
  removeFiles('build/deps', /\.a$/);
  removeFiles('deps/librdkafka/examples', /^(?!Makefile$)[\w-]+$/);
  removeFiles('deps/librdkafka/src', /\.(o|d|a|lo|so[.\d]*|dylib)$/);
  removeFiles('deps/librdkafka/src-cpp', /\.(o|d|a|lo|so[.\d]*|dylib)$/);
}

function removeFiles(directory, name) {
  const path = join(home, directory);
  if (!existsSync(path)) return;
  for (const entry of readdirSync(path, { recursive: true, withFileTypes: true })) {
    if (!entry.isDirectory() && name.test(entry.name)) rmSync(join(entry.parentPath, entry.name));
  }
}
