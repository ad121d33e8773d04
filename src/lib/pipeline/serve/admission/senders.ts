/** Who sends a request, and what senders share: so many places in all, and no more than so many for one of them. */
import type { IncomingHttpHeaders } from 'node:http';
import { isIPv6 } from 'node:net';

export class Places {
  readonly #most: { all: number; each: number };
  readonly #taken = new Map<string, number>();
  #all = 0;

  constructor(most: { all: number; each: number }) {
    this.#most = most;
  }

  /** What is full; undefined where there is a place. */
  full(sender: string): 'all' | 'each' | undefined {
    if (this.#all >= this.#most.all) return 'all';
    return (this.#taken.get(sender) ?? 0) >= this.#most.each ? 'each' : undefined;
  }

  /** Returns how to give it back, once. */
  take(sender: string): () => void {
    this.#all++;
    this.#taken.set(sender, (this.#taken.get(sender) ?? 0) + 1);
    let given = false;
    return () => {
      if (given) return;
      given = true;
      this.#all--;
      const left = this.#taken.get(sender)! - 1;
      if (left > 0) this.#taken.set(sender, left);
      else this.#taken.delete(sender);
    };
  }
}

// Who sends a request, for all that is shared out by sender: its token, else its address; and signs of somebody between.

/** No token has the name of an address. */
export function senderOf(token: string | null, address: string): string {
  return token === null ? `address ${network(address)}` : `token ${token}`;
}

/** One host has as many IPv6 addresses as it likes: the first 64 bits count. IPv4 counts as IPv4, however it is written. */
export function network(address: string): string {
  const plain = address.replace(/%.*$/, '').toLowerCase();
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/.exec(plain)?.[1];
  if (mapped !== undefined) return mapped;
  if (!isIPv6(plain)) return plain;
  const [head = '', tail] = plain.split('::');
  const groups = head === '' ? [] : head.split(':');
  const behind = tail === undefined || tail === '' ? [] : tail.split(':');
  if (tail !== undefined)
    groups.push(...Array<string>(Math.max(0, 8 - groups.length - behind.length)).fill('0'));
  return `${[...groups, ...behind]
    .slice(0, 4)
    .map((group) => group.replace(/^0+(?=.)/, ''))
    .join(':')}::/64`;
}

/** The header by which a proxy shows; undefined where none does. */
export function proxyHeader(headers: IncomingHttpHeaders): string | undefined {
  return Object.keys(headers).find((name) => /^(forwarded|via|x-real-ip|x-forwarded(-.*)?)$/.test(name));
}
