/** A location for people, and for logs: what an address asks for (`?…`) may be a key. */
export function shown(location: string): string {
  return /^[a-z][a-z0-9+.-]+:\/\//iu.test(location) ? location.replace(/[?#].*$/su, '') : location;
}
