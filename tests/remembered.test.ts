import { expect, test } from 'vitest';
import { remembered } from '#gateway/remembered.ts';

test('an answer is asked for once, unless it is not worth keeping or its question is long', () => {
  const asked: string[] = [];
  const ask = remembered(
    text => {
      asked.push(text);
      return text.length;
    },
    length => length !== 3,
  );
  const long = 'x'.repeat(201);
  for (const text of ['four', 'four', 'six', 'six', long, long]) expect(ask(text)).toBe(text.length);
  expect(asked).toEqual(['four', 'six', 'six', long, long]);
});

test('no more than a thousand are kept', () => {
  let asked = 0;
  const ask = remembered(() => {
    asked += 1;
    return true;
  });
  for (let number = 0; number < 1_001; number += 1) ask(String(number));
  ask('1000');
  expect(asked).toBe(1_001);
  ask('0');
  expect(asked).toBe(1_002);
});
