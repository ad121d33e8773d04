/** Rules as the database keeps them. */
import { z } from 'zod';
import { VisionscaleError } from '../../base/errors.ts';
import type { BinRules } from './rules.ts';

const shape = z.object({
  manual: z.string(),
  bins: z.array(
    z.object({ bin: z.string(), classes: z.array(z.string()), confidence: z.number(), margin: z.number() }),
  ),
});

/** Throws `bins_unreadable`, which waiting mends: a newer visionscale has written them, and this host is about to follow. */
export function storedRules(value: unknown, version: number): BinRules {
  const parsed = shape.safeParse(value);
  if (parsed.success) return parsed.data;
  throw new VisionscaleError(`version ${version} of the bins cannot be read by this visionscale`, {
    code: 'bins_unreadable',
    retryable: true,
    hint: 'Update visionscale on this host, or put other rules in force: visionscale bins use <file>',
    cause: parsed.error,
  });
}
