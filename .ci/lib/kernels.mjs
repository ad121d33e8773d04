/** Compiles each .wat below src/lib into its -wasm.ts (npm run kernels); with --check, fails where one is not what it would write. */
import { Buffer } from 'node:buffer';
import { readFile, writeFile } from 'node:fs/promises';
import { basename } from 'node:path';
import process from 'node:process';
import { URL } from 'node:url';
import wabt from 'wabt';

const sources = { kernelsWasm: 'models/images/kernels', productWasm: 'learning/train/head/product' };

const { parseWat } = await wabt();
for (const [constant, path] of Object.entries(sources)) {
  const source = new URL(`../../src/lib/${path}`, import.meta.url).pathname;
  const name = basename(source);
  const module = parseWat(`${name}.wat`, await readFile(`${source}.wat`, 'utf8'), { simd: true });
  module.validate();
  const wasm = Buffer.from(module.toBinary({}).buffer).toString('base64');
  const lines = wasm.match(/.{1,110}/g).map((line) => `  '${line}'`);
  const text = `/** ${name}.wat as WebAssembly, in base64: made by \`npm run kernels\`. */
// prettier-ignore
export const ${constant} =
${lines.join(' +\n')};
`;
  const target = `${source}-wasm.ts`;
  if (!process.argv.includes('--check')) {
    await writeFile(target, text);
  } else if ((await readFile(target, 'utf8').catch(() => '')) !== text) {
    process.stderr.write(`${name}-wasm.ts is not what ${name}.wat compiles to: npm run kernels\n`);
    process.exitCode = 1;
  }
}
