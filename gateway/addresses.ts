/** Where to sign in and come back to a place: a path of the portal. */
export const signInAddress = (place: string): string => (place === '/' ? '/sign-in' : `/sign-in?${new URLSearchParams({ return: place })}`);

/** Where a password is chosen with a one-time link; it stands in e-mails, so it is a whole address. */
export const setPasswordAddress = (portalOrigin: string, token: string): string => `${portalOrigin}/set-password?token=${token}`;
