// What shows, when the address is confirmed, that the registration was made here. It stands in this tab's sessionStorage until
// then, for the mailed link loads the page anew. It opens nothing by itself: the mail is needed too.
const KEY = 'registration-token';

export function remember(registrationToken: string): void {
  sessionStorage.setItem(KEY, registrationToken);
}

export function remembered(): string | null {
  return sessionStorage.getItem(KEY);
}

export function forget(): void {
  sessionStorage.removeItem(KEY);
}
