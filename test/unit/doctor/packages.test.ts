/** What doctor says of node-rdkafka: librdkafka's codecs, and the lines that bring it. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { rdkafkaFound, rdkafkaPackage } from '../../../src/lib/pipeline/doctor/packages.ts';
import { codecMissing, rdkafkaInstall } from '../../../src/lib/systems/topic/kafka/load.ts';

const features = ['gzip', 'snappy', 'ssl', 'sasl', 'lz4'];

it('lists the codecs of librdkafka', () => {
  expect(rdkafkaFound({ features: [...features, 'zstd'], librdkafkaVersion: '2.12.0' })).toBe(
    'librdkafka 2.12.0, codecs gzip, snappy, lz4, zstd',
  );
});

it('warns of one that is missing, with the lines that bring it', () => {
  expect(rdkafkaFound({ features, librdkafkaVersion: '2.12.0' })).toEqual({
    warning: 'librdkafka 2.12.0, codecs gzip, snappy, lz4: messages compressed with zstd cannot be read',
    hint: expect.stringMatching(/apt-get install libzstd-dev[^]*npm rebuild node-rdkafka/) as string,
  });
});

it('names the codec and the way where messages cannot be read, and only where one is missing', () => {
  const place = { topic: 't.z', partition: 2, brokers: 'k:9092', cause: new Error('Local: Not implemented') };
  expect(codecMissing(features, place)).toMatchObject({
    code: 'codec_missing',
    retryable: false,
    message: expect.stringMatching(/partition 2 of the topic t\.z .*zstd/) as string,
    hint: expect.stringMatching(/libzstd-dev[^]*compression\.type/) as string,
  });
  expect(codecMissing([...features, 'zstd'], place)).toBeUndefined();
});

let dir: string;
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'visionscale-install-'));
  mkdirSync(join(dir, 'project'));
  writeFileSync(join(dir, 'project/package.json'), '{}');
});
afterAll(() => rmSync(dir, { recursive: true }));

it('approves of the build where npm asks for it: in a project, for all of the machine, and not in a checkout', () => {
  const at = (path: string) => rdkafkaInstall(join(dir, path));
  expect(at('project/node_modules/visionscale')).toMatch(
    /npm pkg set --json allowScripts\.node-rdkafka=true\nnpm install --ignore-scripts node-rdkafka && npm rebuild node-rdkafka/,
  );
  expect(at('lib/node_modules/visionscale')).toContain(
    'npm rebuild -g --allow-scripts=node-rdkafka node-rdkafka',
  );
  expect(at('visionscale')).toContain('npm install --ignore-scripts && npm rebuild node-rdkafka');
  expect(rdkafkaPackage.install).toBe(rdkafkaInstall());
});
