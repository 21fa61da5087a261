import { address, button, type Letter, type Letterhead, paragraph } from './letter.ts';

/** The council's own wording, which tells that something changed but not what: for councils that want details behind the sign-in only. */
export function genericLetter(letterhead: Letterhead): Letter {
  const { productName, accountName, accountsEmail } = letterhead.brand;
  return {
    subject: `There has been activity on your ${productName} account`,
    heading: null,
    blocks: [
      paragraph(
        `We're sending this email because there has been activity on your ${accountName} account and some of your details have been updated.`,
      ),
      paragraph('You can check your account details at any time by signing into your account.'),
      button('Sign in to your account', letterhead.signInAddress),
      paragraph(
        `If you haven't updated any details on your ${accountName} account, or have received this email by mistake, please contact ${accountsEmail} and the team will be able to help you.`,
      ),
      address("If the button in this email doesn't work, here is the full link:", letterhead.signInAddress),
    ],
  };
}
