import type { AdminDeps } from '#admin-ui/deps.ts';
import type { Policies } from '#policies/policies.ts';
import type { Answers } from './answers.ts';
import type { AppDeps } from './app.ts';
import type { ReturnAddresses } from './return-address.ts';

type Given = Pick<AppDeps, 'store' | 'catalogue' | 'settings' | 'now' | 'keys' | 'deliverSoon'> & {
  policies: Policies;
  answers: Answers;
  returnAddress: ReturnAddresses;
};

/** What the administration asks of the gateway: its validator of addresses and its pages for problems. */
export function administrationDeps(given: Given): AdminDeps {
  const { catalogue, returnAddress, answers } = given;
  return {
    ...given,
    portalOrigin: catalogue.portal.origin,
    returnPath: input => {
      const address = returnAddress(input);
      return address?.portal ? address.path : '/';
    },
    signInAddress: path => `/sign-in?${new URLSearchParams({ return: path })}`,
    problem: answers.problem,
  };
}
