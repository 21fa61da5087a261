import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { columns, readPeopleFile } from '#gateway/commands/people-file.ts';

let dir = '';
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'portal-people-'));
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const header = columns.join(',');
const row = '1,JSMITH12,Jane,Smith,j.smith@first.example,0000000000,S1,First School,no,Teacher';

function read(content: string | Buffer) {
  const file = join(dir, 'people.csv');
  writeFileSync(file, content);
  return readPeopleFile(file);
}

test('a file is read alike with and without a byte order mark, with both line ends, and with a final one or none', () => {
  const expected = read(`${header}\n${row}\n`);
  expect(expected.rows).toHaveLength(1);
  expect(expected.rows[0]).toMatchObject({ source_id: '1', user_id: 'JSMITH12', phone: '0000000000', job_role: 'Teacher' });
  for (const text of [
    `\ufeff${header}\n${row}\n`,
    `${header}\r\n${row}\r\n`,
    `${header}\n${row}`,
    `\ufeff"${columns.join('","')}"\r\n${row}`,
  ]) {
    expect(read(text)).toEqual(expected);
  }
});

test('columns may stand in any order, and quoted values may hold commas, quotation marks and line ends', () => {
  const { rows } = read(`${[...columns].reverse().join(',')}\n"Head, ""acting""",yes,"First\nSchool",S1,,,O’Brien,Zoë,ZOBRIE1,7\n`);
  expect(rows[0]).toMatchObject({ job_role: 'Head, "acting"', organisation_name: 'First\nSchool', first_name: 'Zoë', source_id: '7' });
});

test('semicolons and tabs separate as well, as the spreadsheets of some languages write them', () => {
  const expected = read(`${header}\n2,,"Ann; acting",Head,a@x.example,,S1,"First, or else",yes,\n`);
  expect(expected.rows[0]).toMatchObject({ first_name: 'Ann; acting', organisation_name: 'First, or else' });
  const semicolons = `2;;"Ann; acting";Head;a@x.example;;S1;First, or else;yes;`;
  expect(read(`\ufeff${header.replaceAll(',', ';')}\r\n${semicolons}\r\n`)).toEqual(expected);
  expect(read(`${header.replaceAll(',', '\t')}\n2\t\tAnn; acting\tHead\ta@x.example\t\tS1\tFirst, or else\tyes\t\n`)).toEqual(expected);
});

test('rows are counted as a spreadsheet shows them: the header is row 1, and blank rows count', () => {
  const file = read(`${header}\n${row}\n,,,,,,,,,\n\n"2",X,"two\nlines",B,,,S1,,no,\n3,too,short\n`);
  expect([...file.blank]).toEqual([3, 4]);
  expect(file.rows[5 - 2]).toMatchObject({ source_id: '2' });
  expect([...file.unreadable]).toEqual([[6, 'has 3 values, and the header has 10 columns']]);
  expect(file.rows[6 - 2]?.source_id).toBe('');
});

test.each([
  ['', `Row 1: it must name the columns: ${columns.join(', ')}.`],
  [`${row}\n`, `Row 1: it must name the columns: ${columns.join(', ')}.`],
  [`${header.replace('phone,', '')}\n`, 'Row 1: missing phone.'],
  [`${header},colour\n`, 'Row 1: unknown "colour".'],
  [`${header.replace('email', 'Email')}\n`, 'Row 1: missing email; unknown "Email".'],
  [`${header},email\n`, 'Row 1: twice email.'],
  [`${header}\n${row}\n2,"Jane,Smith\n`, 'Line 3: a quotation mark (") is not closed or stands in the wrong place; nothing was read.'],
  [`${header}\n1,J"S,${row}\n`, 'Line 2: a quotation mark (") is not closed or stands in the wrong place; nothing was read.'],
])('nothing is read of a file that cannot be relied on: %j', (text, sentence) => {
  expect(() => read(text)).toThrow(sentence);
});

test('a file in another encoding is refused rather than guessed at', () => {
  expect(() => read(Buffer.from(`${header}\n${row.replace('Jane', 'Zo\xeb')}\n`, 'latin1'))).toThrow(/is not UTF-8: save it again/);
  expect(() => read(Buffer.from(`\ufeff${header}\n`, 'utf16le'))).toThrow(/is not UTF-8/);
  expect(() => readPeopleFile(join(dir, 'nowhere.csv'))).toThrow(/nowhere\.csv cannot be read/);
});
