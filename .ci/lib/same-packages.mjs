// Exits 0 when every package of the first lockfile is in the second one, at the same place and in the same version.
import { readFileSync } from 'node:fs';
import process from 'node:process';

const [old, now] = process.argv.slice(2).map((file) => JSON.parse(readFileSync(file, 'utf8')).packages);
const other = Object.keys(old).filter((path) => path !== '' && old[path].version !== now[path]?.version);
process.exitCode = other.length === 0 ? 0 : 1;
