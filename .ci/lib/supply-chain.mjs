// What users get from others: production packages of the lockfile, and what is bundled into dist (each THIRD-PARTY.txt).
//   licences     fails on a licence that is not on the list below
//   audit        fails on a known vulnerability in any of them; where the registry does not answer it says so and passes
//   sbom FILE    writes a CycloneDX document of them
import { execFile } from 'node:child_process';
import console from 'node:console';
import { readFileSync, writeFileSync } from 'node:fs';
import process from 'node:process';

/** May be passed on with a program under the MIT licence. The LGPL is that of libvips: a library of its own, which sharp loads. */
const allowed = new Set([
  '0BSD',
  'Apache-2.0',
  'BlueOak-1.0.0',
  'BSD-2-Clause',
  'BSD-3-Clause',
  'CC0-1.0',
  'ISC',
  'MIT',
]);
const libvips = /^@img\/sharp-/;

const { packages } = JSON.parse(readFileSync('package-lock.json', 'utf8'));
const thirdParty = ['dist', 'dist/web']
  .map((dir) => readFileSync(`${dir}/THIRD-PARTY.txt`, 'utf8'))
  .join('\n');
const bundled = new Set(
  [...thirdParty.matchAll(/^(\S+) (\d+\.\d+\.\d\S*) \([^)]+\)$/gm)].map(
    ([, name, version]) => `${name}@${version}`,
  ),
);
const shipped = Object.entries(packages).flatMap(([path, { dev, peer, version, license }]) => {
  const name = path.replace(/^.*node_modules\//, '');
  const id = `${name}@${version}`;
  return path !== '' && ((!dev && !peer) || bundled.has(id)) ? [{ path, name, id, license }] : [];
});

function run(...words) {
  return new Promise((resolve) => {
    execFile('npm', words, { maxBuffer: 64 << 20 }, (error, out, log) => resolve({ out, log }));
  });
}

/** An SPDX expression: one side of OR is enough, every side of AND is needed. */
function permits(expression, name) {
  return expression
    .replaceAll(/[()]/g, '')
    .split(' OR ')
    .some((side) =>
      side
        .split(' AND ')
        .every((one) => allowed.has(one) || (one === 'LGPL-3.0-or-later' && libvips.test(name))),
    );
}

function licences() {
  const missing = [...bundled].filter((id) => !shipped.some((one) => one.id === id));
  if (bundled.size === 0 || missing.length > 0)
    throw new Error(`not in the lockfile, but in dist: ${missing.join(', ') || 'nothing at all'}`);
  const others = shipped.filter(({ license, name }) => !permits(license ?? 'none', name));
  if (others.length > 0)
    throw new Error(
      `licences that are not on the list: ${others.map(({ id, license }) => `${id} (${license})`).join(', ')}`,
    );
  console.log(`licences: ${shipped.length} packages, ${bundled.size} of them bundled, all on the list`);
}

async function audit() {
  const { out, log } = await run('audit', '--package-lock-only', '--json');
  let answer;
  try {
    answer = JSON.parse(out);
  } catch {
    // told below
  }
  if (answer?.vulnerabilities === undefined) {
    const reason = answer?.message ?? log.trim().split('\n').at(-1) ?? 'no answer';
    console.log(`audit skipped, the registry gave none: ${reason}`);
    return;
  }
  const paths = new Set(shipped.map(({ path }) => path));
  const found = Object.values(answer.vulnerabilities).filter(({ nodes }) =>
    nodes.some((path) => paths.has(path)),
  );
  for (const { name, severity, via } of found)
    console.log(
      `${name}: ${severity}: ${via.map((one) => (typeof one === 'string' ? one : `${one.title} (${one.url})`)).join('; ')}`,
    );
  if (found.length > 0) throw new Error(`${found.length} packages that users get have known vulnerabilities`);
  console.log(`audit: no known vulnerability in ${shipped.length} packages`);
}

async function sbom(file) {
  const { out, log } = await run(
    'sbom',
    '--package-lock-only',
    '--sbom-format=cyclonedx',
    '--sbom-type=application',
  );
  if (out === '') throw new Error(`npm sbom: ${log}`);
  const document = JSON.parse(out);
  const ids = new Set(shipped.map(({ id }) => id));
  const root = document.metadata.component;
  root.name = 'visionscale';
  document.components = document.components
    .filter((one) => ids.has(one['bom-ref']))
    .map((one) =>
      // For npm they are for development: users get them inside of dist.
      bundled.has(one['bom-ref'])
        ? { ...one, scope: 'required', properties: [{ name: 'visionscale:bundled', value: 'true' }] }
        : one,
    );
  const there = new Set([root['bom-ref'], ...document.components.map((one) => one['bom-ref'])]);
  document.dependencies = document.dependencies
    .filter(({ ref }) => there.has(ref))
    .map(({ ref, dependsOn }) => ({ ref, dependsOn: dependsOn.filter((one) => there.has(one)) }));
  const lost = [...ids].filter((id) => !there.has(id));
  if (lost.length > 0) throw new Error(`not in npm's document: ${lost.join(', ')}`);
  writeFileSync(file, `${JSON.stringify(document, null, 2)}\n`);
  console.log(`sbom: ${document.components.length} components in ${file}`);
}

const [command, file] = process.argv.slice(2);
try {
  await { licences, audit, sbom }[command](file);
} catch (error) {
  console.error(`error: ${error.message}`);
  process.exitCode = 1;
}
