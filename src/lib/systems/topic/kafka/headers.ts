/** Headers as node-rdkafka has them, and as the topic has them. */
import { isUtf8 } from 'node:buffer';
import type { MessageHeader } from 'node-rdkafka';

/** Text beyond this is not read: it bounds what a foreign producer can make a consumer hold. */
const maxHeaderBytes = 64 * 1024;

export function toKafkaHeaders(headers: Record<string, string>): MessageHeader[] {
  return Object.entries(headers).map(([name, value]) => ({ [name]: value.toWellFormed() }));
}

/**
 * UTF-8 text; of several with one name the last counts. Bytes that are no text are left out, for as text with
 * replacement characters two different values would be the same. What is beyond 64 KiB together is left out too.
 */
export function fromKafkaHeaders(headers: readonly MessageHeader[] | undefined): Record<string, string> {
  const text = new Map<string, string>();
  let bytes = 0;
  for (const header of headers ?? []) {
    for (const [name, value] of Object.entries(header)) {
      const raw = Buffer.from(value);
      bytes += name.length + raw.length;
      if (bytes > maxHeaderBytes) return Object.fromEntries(text);
      if (isUtf8(raw)) text.set(name, raw.toString());
      else text.delete(name);
    }
  }
  return Object.fromEntries(text);
}
