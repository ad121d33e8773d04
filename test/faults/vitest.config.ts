import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/faults/run.ts'],
    // The schedule has its own limits; a run by hand may take hours.
    testTimeout: 0,
    hookTimeout: 0,
    disableConsoleIntercept: true,
    reporters: ['default'],
  },
});
