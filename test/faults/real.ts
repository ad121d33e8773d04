/** Real servers that the run starts for itself: three brokers, PostgreSQL, an S3 server behind a proxy. */
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdir, readlink, chmod } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import pg from 'pg';
import { mountSmall, unmount } from './disks.ts';
import { bridgeAddress, isIsolated, makeHosts } from './namespaces.ts';
import { startProxy } from './proxy.ts';
import type { Stack } from './stack.ts';

const script = fileURLToPath(new URL('../../.ci/servers', import.meta.url));
const run = promisify(execFile);
const brokers = 3;
const databaseName = 'faults';

/** Sizes of the disks that can be filled, in MiB. */
const databaseDisk = 200;
const storeDisk = 1000;

export async function realStack(dir: string, consumers: readonly string[]): Promise<Stack> {
  const hosts = isIsolated() ? await makeHosts(consumers) : null;
  const address = hosts ? bridgeAddress : '127.0.0.1';
  const name = `faults-${randomBytes(4).toString('hex')}`;
  const servers = (...words: string[]) =>
    run(script, words, {
      env: {
        ...process.env,
        KAFKA_NODES: `${brokers}`,
        VISIONSCALE_CI_RUN: name,
        VISIONSCALE_CI_ADDRESS: address,
      },
    });
  await servers('start');
  try {
    const { stdout } = await servers('env');
    const given = settingsIn(stdout);
    const data = await dataOf(name);
    const disks = hosts ? { database: join(data, 'postgres/small'), store: join(data, 's3/objects') } : null;
    const s3 = new URL(given['VISIONSCALE_TEST_S3']!);
    const proxy = await startProxy(address, { host: s3.hostname, port: Number(s3.port) });
    const database = new URL(given['VISIONSCALE_TEST_POSTGRES']!);
    database.pathname = `/${databaseName}`;
    let stopped: Promise<void> | undefined;
    const stop = async () => {
      await proxy[Symbol.asyncDispose]();
      await keepLogs(data, dir);
      for (const disk of Object.values(disks ?? {})) await unmount(disk);
      await servers('stop');
    };
    return {
      kind: 'real',
      env: {
        KAFKA_BROKERS: given['VISIONSCALE_TEST_KAFKA']!,
        KAFKA_TOPIC: 'visionscale.faults',
        DATABASE_URL: database.href,
        VISIONSCALE_STORE: 's3://faults/images',
        S3_ENDPOINT: `http://${address}:${proxy.port}`,
        AWS_REGION: 'us-east-1',
        AWS_ACCESS_KEY_ID: given['AWS_ACCESS_KEY_ID']!,
        AWS_SECRET_ACCESS_KEY: given['AWS_SECRET_ACCESS_KEY']!,
        VISIONSCALE_DATA_DIR: join(dir, 'data'),
      },
      killDatabase: async () => void (await servers('kill', 'postgres')),
      restartDatabase: async () => void (await servers('restart', 'postgres')),
      killStore: async () => void (await servers('kill', 'versitygw')),
      restartStore: async () => void (await servers('restart', 'versitygw')),
      brokers,
      killBroker: async (broker) => void (await servers('kill', 'kafka', `${broker}`)),
      restartBroker: async (broker) => void (await servers('restart', 'kafka', `${broker}`)),
      throttle: proxy.throttle,
      hosts,
      disks,
      async prepare() {
        if (!disks) return;
        await servers('kill', 'versitygw');
        await mountSmall(disks.store, storeDisk);
        await servers('restart', 'versitygw');
        await smallDatabase(given['VISIONSCALE_TEST_POSTGRES']!, disks.database);
      },
      [Symbol.asyncDispose]: () => (stopped ??= stop()),
    };
  } catch (error) {
    await servers('stop');
    throw error;
  }
}

/** Tables and indexes on the small disk; the log of the transactions, without which PostgreSQL cannot run, beside it. */
async function smallDatabase(url: string, path: string): Promise<void> {
  await mountSmall(path, databaseDisk);
  const place = join(path, 'tablespace');
  await mkdir(place);
  await run('chown', ['postgres:', place]);
  await chmod(place, 0o700);
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  await client.query(`create tablespace small location ${pg.escapeLiteral(place)}`);
  await client.query(`create database ${databaseName} tablespace small`);
  await client.end();
}

/** `export NAME=value`, as `.ci/servers env` prints them for a shell, with backslashes before what is special to it. */
function settingsIn(text: string): Record<string, string> {
  return Object.fromEntries<string>(
    [...text.matchAll(/^export (\w+)=(.*)$/gm)].map(([, name = '', value = '']) => [
      name,
      value.replaceAll(/\\(.)/g, '$1'),
    ]),
  );
}

async function dataOf(name: string): Promise<string> {
  const cache = process.env['VISIONSCALE_CI_CACHE'] ?? join(homedir(), '.cache/visionscale-ci');
  return readlink(join(cache, `run-${name}`));
}

/** They go with the servers' data otherwise. */
async function keepLogs(data: string, dir: string): Promise<void> {
  for (const server of ['kafka-1', 'kafka-2', 'kafka-3', 'postgres', 's3']) {
    await run('cp', [join(data, server, 'log'), join(dir, 'logs', `server-${server}.log`)]).catch(
      () => undefined,
    );
  }
}
