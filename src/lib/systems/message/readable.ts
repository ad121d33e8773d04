/** Bytes of a message for people and JSON: as text where they are text, else as base64. */

export type Content = { bytes: number; text: string } | { bytes: number; base64: string } | null;

export function readable(content: Buffer | null): Content {
  if (content === null) return null;
  try {
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(content);
    return { bytes: content.length, text };
  } catch {
    return { bytes: content.length, base64: content.toString('base64') };
  }
}
