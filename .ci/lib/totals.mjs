// Prints `N passed, N failed, N skipped` from vitest's JSON report and the checks; fails unless tests ran and all passed.
// usage: totals.mjs REPORT CHECKS_PASSED CHECKS_FAILED
import { readFileSync } from 'node:fs';
import process from 'node:process';

const [file = '', checksPassed = '0', checksFailed = '0'] = process.argv.slice(2);

function report() {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    return undefined; // vitest did not get as far as a report
  }
}

const found = report();
const passedTests = found?.numPassedTests ?? 0;
let failed = Number(checksFailed) + (found?.numFailedTests ?? 1);
// A file that could not be loaded, or whose hooks failed, has no failed test of its own.
for (const suite of found?.testResults ?? []) {
  if (suite.status === 'failed' && !suite.assertionResults.some((test) => test.status === 'failed')) failed++;
}
const skipped = (found?.numPendingTests ?? 0) + (found?.numTodoTests ?? 0);

process.stdout.write(`${passedTests + Number(checksPassed)} passed, ${failed} failed, ${skipped} skipped\n`);
process.exitCode = failed === 0 && passedTests > 0 ? 0 : 1;
