/** What a hostile server answers is told in one plain line: it cannot steer the terminal. */
import { writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { Rig } from '../support/binary.ts';
import { plainJpeg } from '../support/images.ts';
import { thorough, thoroughTitle } from '../support/thorough.ts';

const evil = '\x1b]0;owned\x07\x1b[2J\u009b2J\u202egnp.exe\u2066\nvisionscale: all is well\r';
let answer: { status: number; body: unknown };
const server = createServer((request, response) => {
  request.resume().on('end', () => {
    response.writeHead(answer.status, { 'content-type': 'application/problem+json' });
    response.end(JSON.stringify(answer.body));
  });
});
let rig: Rig;

beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  rig = await Rig.open();
  await writeFile(join(rig.dir, 'a.jpg'), await plainJpeg('red'));
});
afterAll(async () => {
  server.close();
  await rig?.[Symbol.asyncDispose]();
});

const hostile = /(?![\n\t])[\p{Cc}\p{Bidi_Control}\u2028\u2029]/u;
const url = () => `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

const answers = [
  { status: 403, body: { code: evil, detail: evil, hint: evil } },
  { status: 415, body: { code: evil, detail: evil, hint: evil } },
  { status: 200, body: { status: 'failed', failure: { code: evil, message: evil } } },
  { status: 403, body: { code: 7, detail: { a: 1 }, hint: [evil] } },
  {
    status: 200,
    body: { image: evil, category: evil, confidence: 1, top: [{ category: evil, confidence: 1 }], id: evil },
  },
];
const told = async (given: typeof answer) => {
  answer = given;
  for (const args of [[], ['--json']]) {
    const { stdout, stderr } = await rig.run(['classify', '.', '--server', url(), ...args]);
    expect(stdout + stderr).not.toMatch(hostile);
    expect(stdout + stderr).not.toMatch(/^visionscale: all is well/m);
  }
};
const title = 'classify --server tells a hostile answer (%#) in plain lines';
it.each(answers.slice(-2))(title, told);
it.runIf(thorough).each(answers.slice(0, -2))(thoroughTitle(title), told);
