import type { AdminDeps } from '#admin-ui/deps.ts';
import { setPasswordAddress, signInAddress } from './addresses.ts';
import type { Answers } from './answers.ts';
import type { ReturnAddresses } from './return-address.ts';

export type AdministrationDeps = Pick<AdminDeps, 'store' | 'policies' | 'catalogue' | 'settings' | 'now' | 'keys' | 'deliverSoon'> & {
  answers: Answers;
  returnAddress: ReturnAddresses;
};

/** What the administration asks of the gateway: its validator of addresses and its pages for problems. */
export function administrationDeps(given: AdministrationDeps): AdminDeps {
  const { catalogue, returnAddress, answers } = given;
  return {
    ...given,
    setPasswordAddress: token => setPasswordAddress(catalogue.portal.origin, token),
    returnPath: input => {
      const address = returnAddress(input);
      return address?.portal ? address.path : '/';
    },
    signInAddress,
    problem: answers.problem,
  };
}
