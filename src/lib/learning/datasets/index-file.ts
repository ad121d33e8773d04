/** The index of an export: which file is which image, a JSON line each, so that a half-finished export can be used. */
import { createHash } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { errorMessage, UsageError, VisionscaleError } from '../../base/errors.ts';
import { folderName } from '../../base/files/class-folders.ts';
import type { ImageFormat } from '../../models/images/sniff.ts';

export const indexName = 'visionscale-export.jsonl';

const head = z.object({
  export: z.literal('visionscale'),
  version: z.literal(1),
  pipeline: z.string(),
  created: z.string(),
  /** Folder by label, where it is not simply the label. */
  folders: z.record(z.string(), z.string()),
  /** A folder that stands for no class: what is still in it, nobody has judged. */
  unsorted: z.string().optional(),
});

const line = z.object({
  file: z.string(),
  key: z.string(),
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
  category: z.string(),
});

export type ExportHead = z.infer<typeof head>;
export type ExportLine = z.infer<typeof line>;

export interface ExportIndex {
  head: ExportHead;
  lines: ExportLine[];
}

/** Most of an index that is read: some million images. */
const mostBytes = 512 * 2 ** 20;
const longestName = 120;

/** The key's digest makes it unique, in whatever folder it ends up; its own name is for the person who sorts. */
export function exportFile(key: string, format: ImageFormat): string {
  const digest = createHash('sha256').update(key).digest('hex').slice(0, 12);
  const stem = key
    .slice(key.lastIndexOf('/') + 1)
    .replace(/\.[A-Za-z0-9]{1,5}$/, '')
    .slice(0, longestName);
  return `${folderName(`${stem}-${digest}`)}.${format === 'jpeg' ? 'jpg' : format}`;
}

export function indexHead(given: {
  pipeline: string;
  created: Date;
  folders: ReadonlyMap<string, string>;
  unsorted: string | undefined;
}): string {
  const { pipeline, created, unsorted } = given;
  const folders = Object.fromEntries([...given.folders].filter(([label, folder]) => label !== folder));
  const document: ExportHead = {
    export: 'visionscale',
    version: 1,
    pipeline,
    created: created.toISOString(),
    folders,
    ...(unsorted !== undefined && { unsorted }),
  };
  return `${JSON.stringify(document)}\n`;
}

export function indexLine(row: {
  file: string;
  sha256: string;
  imageKey: string;
  category: string;
  confidence: number;
  top: unknown;
  novelty: number | null;
  model: string;
  modelVersion: string;
  modelDigest: string;
  time: Date;
}): string {
  const { imageKey: key, file, sha256, ...rest } = row;
  return `${JSON.stringify({ file, key, sha256, ...rest })}\n`;
}

/** A last line that was cut off is left out. Throws a UsageError without an index, `export_invalid` where it is none. */
export async function readIndex(dir: string): Promise<ExportIndex> {
  const path = join(dir, indexName);
  const text = await readText(dir, path);
  const [first = '', ...rest] = text.slice(0, text.lastIndexOf('\n')).split('\n');
  return {
    head: parse(head, first, path, 1),
    lines: rest.map((one, i) => parse(line, one, path, i + 2)),
  };
}

async function readText(dir: string, path: string): Promise<string> {
  try {
    const { size } = await stat(path);
    if (size > mostBytes) throw invalid(path, `it is larger than ${mostBytes} bytes`);
    return await readFile(path, 'utf8');
  } catch (error) {
    if (error instanceof VisionscaleError) throw error;
    throw new UsageError(
      `${dir} is not an export: ${indexName} cannot be read (${(error as NodeJS.ErrnoException).code ?? errorMessage(error)})`,
      'correct --from takes a directory that visionscale results export has written.',
    );
  }
}

function parse<T>(schema: z.ZodType<T>, text: string, path: string, number: number): T {
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch (error) {
    throw invalid(path, `line ${number}: ${errorMessage(error)}`);
  }
  const result = schema.safeParse(document);
  if (result.success) return result.data;
  throw invalid(path, `line ${number}: ${result.error.issues[0]?.message ?? 'not an index'}`);
}

function invalid(path: string, reason: string): VisionscaleError {
  return new VisionscaleError(`${path} cannot be read as the index of an export: ${reason}`, {
    code: 'export_invalid',
    hint: 'It was changed or cut off: restore it, or export once more.',
  });
}
