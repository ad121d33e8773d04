/** A stack trace in terms of the sources: the bundle's source maps are read when one is told, for at start they would cost time. */
import { readFileSync } from 'node:fs';
import { SourceMap, type SourceMapPayload } from 'node:module';
import { fileURLToPath } from 'node:url';

const place = /(file:\/\/[^\s()]+\.js):(\d+):(\d+)/g;

/** Places without a map stay as they are. */
export function sourceStack(stack: string): string {
  const maps = new Map<string, SourceMap | undefined>();
  return stack.replace(place, (text, url: string, line: string, column: string) => {
    if (!maps.has(url)) maps.set(url, readMap(url));
    const found = maps.get(url)?.findEntry(Number(line) - 1, Number(column) - 1);
    if (!found || !('originalSource' in found)) return text;
    const file = fileURLToPath(new URL(found.originalSource, url));
    return `${file}:${found.originalLine + 1}:${found.originalColumn + 1}`;
  });
}

function readMap(url: string): SourceMap | undefined {
  try {
    return new SourceMap(JSON.parse(readFileSync(new URL(`${url}.map`), 'utf8')) as SourceMapPayload);
  } catch {
    return undefined;
  }
}
