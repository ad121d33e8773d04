/** Headers as node-rdkafka has them, and as the topic has them. */
import type { MessageHeader } from 'node-rdkafka';

/** Text beyond this is not read: it bounds what a foreign producer can make a consumer hold. */
const maxHeaderBytes = 64 * 1024;

export function toKafkaHeaders(headers: Record<string, string>): MessageHeader[] {
  return Object.entries(headers).map(([name, value]) => ({ [name]: value.toWellFormed() }));
}

/** UTF-8 text; of several with one name the last wins. What is beyond 64 KiB together is left out. */
export function fromKafkaHeaders(headers: readonly MessageHeader[] | undefined): Record<string, string> {
  const text: Record<string, string> = Object.create(null) as Record<string, string>;
  let bytes = 0;
  for (const header of headers ?? []) {
    for (const [name, value] of Object.entries(header)) {
      bytes += name.length + value.length;
      if (bytes > maxHeaderBytes) return { ...text };
      text[name] = value.toString();
    }
  }
  return { ...text };
}
