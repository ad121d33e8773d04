// node-rdkafka alone: sends messages like those of `produce`, idempotent, acknowledged by all, each delivery report counted.
// node produce-rate.mjs TOPIC ROWS
import { Buffer } from 'node:buffer';
import console from 'node:console';
import { performance } from 'node:perf_hooks';
import process from 'node:process';
import { setImmediate, setTimeout as sleep } from 'node:timers/promises';
import rdkafka from 'node-rdkafka';
import { openTopic } from '../../dist/lib/systems/topic/open.js';

const [name, count] = [process.argv[2], Number(process.argv[3])];
const brokers = process.env.KAFKA_BROKERS;
const topic = await openTopic({ kind: 'kafka', brokers, name, properties: {}, onNotice: () => undefined });
await topic.create(3);
await topic[Symbol.asyncDispose]();

const producer = new rdkafka.Producer(
  { 'metadata.broker.list': brokers, 'enable.idempotence': true, 'linger.ms': 2, dr_cb: true },
  { acks: 'all', partitioner: 'murmur2_random' },
);
await new Promise((resolve, reject) => producer.connect({}, (error) => (error ? reject(error) : resolve())));
let reported = 0;
producer.on('delivery-report', (error) => {
  if (error) throw error;
  reported++;
});
const capturedAt = new Date().toISOString();
const began = performance.now();
for (let n = 1; n <= count;) {
  const key = Buffer.from(`belt ${n % 4}/${String(n).padStart(9, '0')}.jpg`);
  const headers = [
    { 'visionscale-request-id': `${key}#1` },
    { 'content-type': 'text/plain; charset=utf-8' },
    { 'visionscale-captured-at': capturedAt },
  ];
  try {
    producer.produce(name, null, key, key, Date.now(), undefined, headers);
    if (n++ % 1000 === 0) {
      producer.poll();
      await setImmediate();
    }
  } catch (error) {
    if (error.code !== rdkafka.CODES.ERRORS.ERR__QUEUE_FULL) throw error;
    producer.poll();
    await sleep(1);
  }
}
while (reported < count) {
  producer.poll();
  await sleep(1);
}
const seconds = (performance.now() - began) / 1000;
console.log(
  `node-rdkafka: ${count} rows in ${seconds.toFixed(1)} s, ${Math.round(count / seconds)} a second`,
);
producer.disconnect();
