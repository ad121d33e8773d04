// Puts the reports of many seeds together: `faults-table.mjs REPORT.json…` prints the table of docs/reliability.md.
import console from 'node:console';
import { readFileSync } from 'node:fs';
import process from 'node:process';

const reports = process.argv.slice(2).map((path) => JSON.parse(readFileSync(path, 'utf8')));
const total = (name) => reports.reduce((sum, report) => sum + report.counts[name], 0);
const passed = reports.filter((report) => report.problems.length === 0).length;

console.log(
  `${reports.length} seeds, ${passed} passed: ${total('messages')} messages, ${total('requests')} requests,`,
);
console.log(
  `${total('predictions')} predictions, ${total('deadLetters')} dead letters, ${total('duplicates')} duplicates,`,
);
console.log(`${total('lost')} lost, ${total('doubled')} doubled\n`);
console.log(
  '| fault | times | alone | min s | median s | max s |\n| --- | ---: | ---: | ---: | ---: | ---: |',
);
// One that began beside another says little about either: counted, not timed.
const all = reports.flatMap((report) => report.recoveries);
for (const kind of [...new Set(all.map((one) => one.kind))].sort()) {
  const ofKind = all.filter((one) => one.kind === kind);
  const seconds = ofKind
    .flatMap((one) => (one.seconds === null || one.together ? [] : [one.seconds]))
    .sort((a, b) => a - b);
  const figures = [seconds[0], seconds[Math.floor((seconds.length - 1) / 2)], seconds.at(-1)];
  console.log(
    `| ${[kind, ofKind.length, seconds.length, ...figures.map((s) => s?.toFixed(2) ?? '')].join(' | ')} |`,
  );
}
