import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // Ten times what the longest take on a quiet machine: dozens of process starts, each a second on a busy one.
    testTimeout: 180_000,
    hookTimeout: 180_000,
    // Two cores and real processes: files side by side, but not more of them than cores.
    maxWorkers: 2,
    // Real processes on a machine that others use too: CI asks once more before it calls a test failed, and says so.
    retry: process.env['CI'] ? 1 : 0,
    reporters: ['default'],
  },
});
