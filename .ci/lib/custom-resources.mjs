// Judges custom resources, JSON lines on stdin, by the models of their operators in the directory that is named.
import process from 'node:process';
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';

const packages = { 'keda.sh': 'keda', 'monitoring.coreos.com': 'prometheus-operator' };
const [, , models] = process.argv;
for await (const line of createInterface({ input: process.stdin })) {
  const { apiVersion, kind, ...rest } = JSON.parse(line);
  const [group] = apiVersion.split('/');
  const file = `${models}/${packages[group]}/${apiVersion}/${kind}.js`;
  const { [kind]: Model } = await import(pathToFileURL(file).href);
  try {
    new Model({ apiVersion, kind, ...rest }).validate();
    process.stderr.write(`${kind} ${rest.metadata.name}: as its operator takes it\n`);
  } catch (error) {
    process.stderr.write(`${kind} ${rest.metadata.name}: ${error.message}\n`);
    process.exitCode = 1;
  }
}
