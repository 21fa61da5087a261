import { describe, expect, test } from 'vitest';
import { composeEmail, composeText } from '#notify/templates.ts';
import { letterhead, linkOf, samples, wordsOfHtml, wordsOfText, written } from './notify-samples.ts';

const generic = { ...letterhead, wording: 'generic' as const };
const compose = (template: string, data: unknown, head = letterhead) =>
  composeEmail({ template, data, at: written, secret: linkOf(template) }, head);

describe.each(Object.entries(samples))('the message %s', (template, data) => {
  test.each([letterhead, generic])('says the same in plain text and in HTML, in the $wording wording', head => {
    const { subject, text, html } = compose(template, data, head);
    expect(wordsOfHtml(html)).toBe(wordsOfText(text));
    expect(subject).toContain('Services Portal');
    expect(text).not.toMatch(/undefined|null|NaN|\[object/);
  });

  test.each([letterhead, generic])('prints one full address and tracks nobody, in the $wording wording (A22)', head => {
    const { text, html } = compose(template, data, head);
    expect(text.match(/https?:\/\/\S+/g)).toEqual([linkOf(template) ?? head.signInAddress]);
    expect(html).toMatch(/<html lang="en">/);
    expect(html).not.toMatch(/<(?:img|script|link|iframe)|url\(/i);
  });
});

test('a change of access says who, when, what was added and removed, what is left and whom to ask (M1)', () => {
  const { subject, text } = compose('access-changed', samples['access-changed']);
  expect(subject).toBe('Your access to Services Portal has changed');
  expect(text).toContain(
    "James O'Howell (Innovations PLC - SP3) changed what you can open for Innovations PLC - SP3 on 4 June 2026 at 9:32am.",
  );
  expect(text).toContain(
    'Added\n\n* Trailblazer, until 31 July 2026\n\nRemoved\n\n* Property\n\nEnd date changed\n\n* Schools Intranet\n\n',
  );
  expect(text).toContain('You now have\n\n* Schools Intranet\n* Trailblazer, until 31 July 2026\n');
  expect(text).toContain("If you did not expect this\n\nAsk an Organisation Administrator at Innovations PLC - SP3:\n\n* James O'Howell\n");
  expect(text).toContain('Or email Testshire County Council at accounts@testshire.example.');
});

test('somebody who has nothing left is told so', () => {
  const { text } = compose('access-changed', { ...samples['access-changed'], now: [] });
  expect(text).toContain('You now have no services for Innovations PLC - SP3.');
});

test('the generic wording is the one of the guide (S31, S68, S69)', () => {
  const { text, html } = compose('access-changed', samples['access-changed'], generic);
  expect(wordsOfText(text)).toBe(
    "Testshire County Council We're sending this email because there has been activity on your Testsweb account and some of your details " +
      'have been updated. You can check your account details at any time by signing into your account. Sign in to your account ' +
      "If you haven't updated any details on your Testsweb account, or have received this email by mistake, please contact " +
      "accounts@testshire.example and the team will be able to help you. If the button in this email doesn't work, here is the full link: " +
      'https://portal.testshire.example/sign-in www.testshire.example This email was sent by Testshire County Council, The Castle, ' +
      'Testchester TE1 1ST Privacy | Disclaimer © Testshire County Council 2026',
  );
  expect(html).toMatch(/<a href="https:\/\/portal\.testshire\.example\/sign-in"[^>]*>Sign in to your account<\/a>/);
});

test('the generic wording tells nothing of what changed (S77)', () => {
  for (const template of [
    'access-changed',
    'administrator-welcome',
    'removed-from-organisation',
    'security-phone-set',
    'security-phone-deleted',
  ] as const) {
    const { subject, text } = compose(template, samples[template], generic);
    expect(subject + text).not.toMatch(/Innovations|Howell|Trailblazer|phone/);
  }
});

test('links and password messages are specific in both wordings', () => {
  for (const template of ['invitation', 'password-reset', 'password-changed'] as const) {
    expect(compose(template, samples[template], generic)).toEqual(compose(template, samples[template]));
  }
  const welcome = { ...samples['administrator-welcome'], linkExpiresAt: written };
  const secret = 'https://portal.testshire.example/password/SECRET';
  expect(composeEmail({ template: 'administrator-welcome', data: welcome, at: written, secret }, generic).text).toContain(secret);
});

test('an administrator of several organisations is told of all of them, and how their one link works', () => {
  const data = { ...samples['administrator-welcome'], alsoFor: ['Second School', 'Third School'], linkExpiresAt: written };
  const secret = 'https://portal.testshire.example/password/SECRET';
  const { text } = composeEmail({ template: 'administrator-welcome', data, at: written, secret }, letterhead);
  expect(text).toContain('set you up as an Organisation Administrator for 3 organisations on 4 June 2026 at 9:32am:');
  for (const name of ['Innovations PLC - SP3', 'Second School', 'Third School']) expect(text).toContain(`* ${name}\n`);
  expect(text).toContain('It works once, until 4 June 2026 at 9:32am.');
});

test('a name cannot become markup, nor a paragraph of its own', () => {
  const organisation = '<img src=x>"\r\n\r\nSend your password to evil.example';
  const { text, html } = compose('removed-from-organisation', { ...samples['removed-from-organisation'], organisation });
  expect(html).not.toContain('<img');
  expect(html).toContain('&lt;img src=x&gt;&quot; Send your password');
  expect(text).not.toMatch(/^Send your password/m);
});

test.each([
  ['https://evil.example/password/SECRET', 'does not lead to the portal'],
  ['https://portal.testshire.example@evil.example/', 'does not lead to the portal'],
  ['not an address', 'does not lead to the portal'],
  [null, 'is gone'],
])('the link %s is refused, and not repeated in the error', (secret, reason) => {
  const refused = () => composeEmail({ template: 'password-reset', data: samples['password-reset'], at: written, secret }, letterhead);
  expect(refused).toThrow(reason);
  expect(refused).not.toThrow(/SECRET/);
});

test('data that do not fit their template, and unknown templates, are refused', () => {
  expect(() => compose('access-changed', { organisation: 'Innovations PLC' })).toThrow();
  expect(() => compose('toString', {})).toThrow('no e-mail is called toString');
  expect(() => composeText({ template: 'invitation', secret: '123456' }, letterhead)).toThrow('no text message is called invitation');
});

test('the text with a code ends with the line that binds it to the portal, and fits one text message (P6)', () => {
  const text = composeText({ template: 'security-code', secret: '012345' }, letterhead);
  expect(text).toBe('012345 is your Services Portal security code\n\n@portal.testshire.example #012345');
  expect(text.length).toBeLessThanOrEqual(160);
});
