import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { lastDay, notADate, notInTheFuture, readEndDate, sayLastDay } from '#admin-ui/access/end-date.ts';
import { parseId } from '#admin-ui/addresses.ts';
import { isSharedAddress } from '#admin-ui/registration/shared-address.ts';
import { cannotReceive, notAMobile, readMobileNumber } from '#admin-ui/security-phone/phone-number.ts';

describe('a security phone', () => {
  test.each([
    ['07700 900 982', '+447700900982'],
    ['07700-900-982', '+447700900982'],
    ['(07700) 900982', '+447700900982'],
    ['+44 (0)7700 900982', '+447700900982'],
    ['0044 7400 123456', '+447400123456'],
    ['+44 7400 123456', '+447400123456'],
    ['\u202a07400\u00a0123456\u202c', '+447400123456'],
  ])('may be written %s', (typed, number) => {
    expect(readMobileNumber(typed)).toEqual({ number });
  });

  test.each([
    ['a landline', '01962 841841', cannotReceive],
    ['a premium number', '0909 879 0000', cannotReceive],
    ['a free number', '0800 1111', cannotReceive],
    ['a personal number', '070 1234 5678', cannotReceive],
    ['nothing', '', notAMobile],
    ['the zeros of old records', '0000000000', notAMobile],
    ['the short numbers of old records', '01962 144', notAMobile],
    ['a number of another country', '+1 415 555 2671', notAMobile],
    ['a number of Jersey', '07797 712345', notAMobile],
    ['a number inside a sentence', 'call 07700900982 now', notAMobile],
    ['a number with an extension', '07700 900982 ext 4', notAMobile],
    ['an address of a phone', 'tel:+447700900982', notAMobile],
    ['two numbers', '07700900982,07700900983', notAMobile],
    ['a number with a line end', '07700900982\r\nBcc: x', notAMobile],
    ['a very long number', '0'.repeat(5000), notAMobile],
  ])('cannot be %s', (_, typed, fault) => {
    expect(readMobileNumber(typed)).toEqual({ fault });
  });

  test('is never anything but a UK number in international form, whatever is typed', () => {
    fc.assert(
      fc.property(fc.string(), typed => {
        const read = readMobileNumber(typed);
        return 'fault' in read || /^\+447\d{9}$/.test(read.number);
      }),
    );
  });
});

describe('the date access ends', () => {
  const now = Date.UTC(2027, 2, 27, 12);
  // Clocks in the United Kingdom go forward on 28 March 2027.
  const afterSunday = Date.UTC(2027, 2, 28, 23);

  test.each(['28 3 2027', '28/3/2027', '28-03-2027', '28.3.2027', '28 March 2027', '28th mar 2027', '2027-03-28', ' 28  3  2027 '])(
    'is the end of that day in London, written %s',
    typed => {
      expect(readEndDate(typed, now)).toEqual({ endsAt: afterSunday });
    },
  );

  test('today is still to come, yesterday is over', () => {
    expect(readEndDate('27 3 2027', now)).toEqual({ endsAt: Date.UTC(2027, 2, 28) });
    expect(readEndDate('26 3 2027', now)).toEqual({ fault: notInTheFuture });
  });

  test.each(['31 2 2028', '0 1 2028', '1 13 2028', '1 Marchember 2028', '1 3 28', 'never', '3', '-1 3 2028', '9'.repeat(50)])(
    'is not %s',
    typed => {
      expect(readEndDate(typed, now)).toEqual({ fault: notADate });
    },
  );

  test('nothing means no end', () => {
    expect(readEndDate('  ', now)).toEqual({ endsAt: null });
  });

  test('is shown as the last day of access', () => {
    expect(lastDay(afterSunday)).toBe('2027-03-28');
    expect(sayLastDay(afterSunday)).toBe('28 March 2027');
  });
});

test.each([
  'office@a.example',
  'Head.Teacher@a.example',
  'admin1@a.example',
  'ADMIN+me@a.example',
  'school-office@a.example',
  'ｏffice@a.example',
])('%s is a shared address', address => {
  expect(isSharedAddress(address)).toBe(true);
});

test.each(['ken.ash@a.example', 'o.fficer@a.example', 'headley@a.example', 'itcsjt@a.example'])('%s is one person’s address', address => {
  expect(isSharedAddress(address)).toBe(false);
});

test.each(['0', '01', '-1', '1.0', '1e3', ' 1', '１', '1'.repeat(16), '', 'new', undefined, ['1']])('%s is no id', text => {
  expect(parseId(text)).toBeNull();
});
