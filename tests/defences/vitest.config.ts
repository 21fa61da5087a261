import { defineConfig } from 'vitest/config';

// Every kind of test in one project, with time enough for a machine that runs several of them side by side.
export default defineConfig({ test: { include: ['tests/**/*.test.ts'], testTimeout: 90_000, hookTimeout: 180_000 } });
