// Exits 0 when a server answers: `answers.mjs kafka HOST:PORT BROKERS` or `answers.mjs http URL`.
import { Buffer } from 'node:buffer';
import { connect } from 'node:net';
import process from 'node:process';
import { setTimeout } from 'node:timers';

const [kind, address = '', brokers = '1'] = process.argv.slice(2);
setTimeout(() => process.exit(1), 3000).unref();

/** A Metadata request (version 4, no topics) asks how many brokers the one at `host:port` knows. */
function knownBrokers(host, port) {
  const client = Buffer.from('ci');
  const body = Buffer.alloc(2 + 2 + 4 + 2 + client.length + 4 + 1);
  body.writeInt16BE(3, 0); // api key: Metadata
  body.writeInt16BE(4, 2); // version
  body.writeInt32BE(1, 4); // correlation id
  body.writeInt16BE(client.length, 8);
  client.copy(body, 10); // then an empty array of topics, and no auto-creation: zeros
  const size = Buffer.alloc(4);
  size.writeInt32BE(body.length);
  return new Promise((resolve, reject) => {
    let answer = Buffer.alloc(0);
    const socket = connect(port, host, () => socket.write(Buffer.concat([size, body])));
    socket.once('error', reject).once('close', () => reject(new Error('closed')));
    socket.on('data', (chunk) => {
      answer = Buffer.concat([answer, chunk]);
      if (answer.length < 4 || answer.length < 4 + answer.readInt32BE(0)) return;
      resolve(answer.readInt32BE(12)); // after size, correlation id and throttle time
      socket.destroy();
    });
  });
}

try {
  if (kind === 'kafka') {
    const [host, port] = address.split(':');
    process.exit((await knownBrokers(host, Number(port))) === Number(brokers) ? 0 : 1);
  }
  await globalThis.fetch(address); // any status is an answer
  process.exit(0);
} catch {
  process.exit(1);
}
