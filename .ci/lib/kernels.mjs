/** Compiles kernels.wat into kernels-wasm.ts (npm run kernels); with --check, fails where that is not what it would write. */
import { Buffer } from 'node:buffer';
import { readFile, writeFile } from 'node:fs/promises';
import process from 'node:process';
import { URL } from 'node:url';
import wabt from 'wabt';

const directory = new URL('../../src/lib/models/images/', import.meta.url).pathname;
const source = `${directory}kernels.wat`;
const target = `${directory}kernels-wasm.ts`;

const { parseWat } = await wabt();
const module = parseWat('kernels.wat', await readFile(source, 'utf8'), { simd: true });
module.validate();
const wasm = Buffer.from(module.toBinary({}).buffer).toString('base64');
const lines = wasm.match(/.{1,110}/g).map((line) => `  '${line}'`);
const text = `/** kernels.wat as WebAssembly, in base64: made by \`npm run kernels\`. */
// prettier-ignore
export const kernelsWasm =
${lines.join(' +\n')};
`;
if (!process.argv.includes('--check')) {
  await writeFile(target, text);
} else if ((await readFile(target, 'utf8')) !== text) {
  process.stderr.write('kernels-wasm.ts is not what kernels.wat compiles to: npm run kernels\n');
  process.exitCode = 1;
}
