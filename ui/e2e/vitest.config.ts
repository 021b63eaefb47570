import { defineConfig } from 'vitest/config'

// One browser and one server for all files, one after the other: the machine may be small.
export default defineConfig({
  test: { fileParallelism: false, testTimeout: 60_000, hookTimeout: 180_000, include: ['**/*.spec.ts'] },
})
