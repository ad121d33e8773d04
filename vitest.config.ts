import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    // Two cores and real processes: files side by side, but not more of them than cores.
    maxWorkers: 2,
    reporters: ['default'],
  },
});
