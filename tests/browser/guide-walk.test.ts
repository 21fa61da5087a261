import { describe } from 'vitest';
import { additionalAdministrators } from './guide-additional-administrators.ts';
import { provideAccess } from './guide-administrator.ts';
import { registerNewUser, removeFromOrganisation } from './guide-people.ts';
import { frequentlyAsked } from './guide-questions.ts';
import { severalOrganisations, signOutEverywhere } from './guide-sessions.ts';
import { staffSignIn, takeAccessAway } from './guide-staff.ts';
import { startWalk } from './walk.ts';

/** The county's guide, chapter by chapter, in a browser against the whole demo. Its steps keep their numbers and words. */
describe.each([
  { javaScript: true, how: 'with JavaScript' },
  { javaScript: false, how: 'without JavaScript' },
])('the guide, $how', ({ javaScript }) => {
  const walk = startWalk({ javaScript });
  describe('Sign in and provide staff with access to your school’s Hantsweb password protected pages', () => provideAccess(walk));
  describe('How staff users will sign in to the Services Portal', () => staffSignIn(walk));
  describe('To remove user access, untick the box', () => takeAccessAway(walk));
  describe('How to set up additional Organisation Administrators', () => additionalAdministrators(walk));
  describe('Register new user', () => registerNewUser(walk));
  describe('Delete user', () => removeFromOrganisation(walk));
  describe('Frequently asked questions', () => frequentlyAsked(walk));
  describe('Somebody in two organisations', () => severalOrganisations(walk));
  describe('Sign out', () => signOutEverywhere(walk));
});
