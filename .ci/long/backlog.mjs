// Fills a topic with requests for one image, or runs a consumer on it for some seconds and prints the most memory it took.
import { Buffer } from 'node:buffer';
import { spawn } from 'node:child_process';
import console from 'node:console';
import { readFileSync } from 'node:fs';
import process from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';
import { openTopic } from '../../dist/lib/systems/topic/open.js';

const [what, name, amount] = process.argv.slice(2);
if (what === 'send') await send(Number(amount));
else await consume(Number(amount));

async function send(count) {
  const brokers = process.env.KAFKA_BROKERS;
  const topic = await openTopic({ kind: 'kafka', brokers, name, properties: {}, onNotice: () => undefined });
  await topic.create(1);
  const producer = await topic.producer();
  const batch = Array(10_000).fill({ key: null, value: Buffer.from('a.jpg'), headers: {} });
  for (let sent = 0; sent < count; sent += batch.length) await producer.send(batch.slice(0, count - sent));
  await producer[Symbol.asyncDispose]();
  await topic[Symbol.asyncDispose]();
}

async function consume(seconds) {
  const args = ['bin/visionscale.js', 'consume', '--partition', '0', '--topic', name, '--json'];
  const consumer = spawn(process.execPath, args, { stdio: ['ignore', 'inherit', 'ignore'] });
  const ended = new Promise((resolve) => consumer.on('close', resolve));
  let most = 0;
  for (let n = 0; n < seconds * 2; n++) {
    await sleep(500);
    const rss = /^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${consumer.pid}/status`, 'utf8'));
    most = Math.max(most, Number(rss?.[1] ?? 0) / 1024);
  }
  consumer.kill('SIGTERM');
  await ended;
  console.log(`${name}: at most ${most.toFixed(0)} MiB in ${seconds} s`);
}
