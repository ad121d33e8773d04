// Prints the fenced shell blocks of a Markdown page, one JSON object a line: {host, step, once, outside, tls, variables, line, text}.
import { readFileSync } from 'node:fs';
import process from 'node:process';

const lines = readFileSync(process.argv[2], 'utf8').split('\n');
let block;
for (const [index, line] of lines.entries()) {
  if (block === undefined) {
    const opened = /^```sh (.+)$/.exec(line);
    if (!opened) continue;
    block = { line: index + 1, text: '' };
    for (const word of opened[1].split(/\s+/)) {
      const [name, value = true] = word.split('=');
      if (!['host', 'step', 'once', 'outside', 'tls', 'variables'].includes(name))
        throw new Error(`line ${index + 1}: ${word}?`);
      block[name] = value;
    }
  } else if (line === '```') {
    process.stdout.write(`${JSON.stringify(block)}\n`);
    block = undefined;
  } else {
    block.text += `${line}\n`;
  }
}
if (block !== undefined) throw new Error(`the block of line ${block.line} does not end`);
