/** Where to sign in and come back to a place: a path of the portal; with a reason, if another than that the place needs it. */
export function signInAddress(place: string, reason?: string): string {
  if (place === '/') return '/sign-in';
  return `/sign-in?${new URLSearchParams({ return: place, ...(reason ? { reason } : {}) })}`;
}

/** Where a password is chosen with a one-time link; it stands in e-mails, so it is a whole address. */
export const setPasswordAddress = (portalOrigin: string, token: string): string => `${portalOrigin}/set-password?token=${token}`;
