import { defineConfig } from 'vitest/config';

const limits = {
  // Ten times what the longest take on a quiet machine: dozens of process starts, each a second on a busy one.
  testTimeout: 180_000,
  hookTimeout: 180_000,
  expect: { poll: { timeout: 60_000 } },
};

export default defineConfig({
  test: {
    ...limits,
    globalSetup: 'test/support/shared-run.ts',
    // Two cores, and files that wait for processes a third of their time.
    maxWorkers: 3,
    reporters: ['default'],
    projects: [
      {
        // No file of it leaves anything behind for the next: a process for all of them loads every module once.
        test: { ...limits, name: 'unit', include: ['test/unit/**/*.test.ts'], isolate: false },
      },
      {
        test: { ...limits, name: 'processes', isolate: false, include: ['test/{contract,e2e}/**/*.test.ts'] },
      },
    ],
  },
});
