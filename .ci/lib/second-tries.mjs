// A reporter of vitest: names every test that passed only at its second try. Such a test is a fault, to be found and mended.
import process from 'node:process';

export default class SecondTries {
  #names = [];

  onTestCaseResult(test) {
    if (test.diagnostic()?.flaky) this.#names.push(`${test.module.relativeModuleId} > ${test.fullName}`);
  }

  onTestRunEnd() {
    for (const name of this.#names) process.stdout.write(`needed a second try: ${name}\n`);
  }
}
