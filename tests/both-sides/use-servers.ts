import { inject } from 'vitest';

// tests/app.ts reads the environment, because the bench uses it too, where there is no vitest to ask.
const { template, redis } = inject('servers');
process.env.TEST_TEMPLATE_DATABASE = template;
process.env.TEST_REDIS = redis;
