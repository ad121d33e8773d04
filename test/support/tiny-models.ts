/** ONNX models of a few hundred bytes that take 8×8 images and answer with the mean of red, green and blue. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

// prettier-ignore
const weights = {
  mean: 'CAgSADp4Ch0KBWltYWdlEgFwIhFHbG9iYWxBdmVyYWdlUG9vbAoUCgFwEgZzY29yZXMiB0ZsYXR0ZW4SBG1lYW5aIAoFaW1hZ2USFwoVCAESEQoDEgFOCgIIAwoCCAgKAggIYhkKBnNjb3JlcxIPCg0IARIJCgMSAU4KAggDQgQKABAN',
  /** Fails, in the runtime, on an image with a sample of 255: it looks up a table of one entry. */
  brittle: 'CAgSADruAQodCgVpbWFnZRIBcCIRR2xvYmFsQXZlcmFnZVBvb2wKDwoBcBIBZiIHRmxhdHRlbgomCgVpbWFnZRIBbSIJUmVkdWNlTWF4Kg8KCGtlZXBkaW1zGACgAQIKFwoBbRIBaSIEQ2FzdCoJCgJ0bxgHoAECChEKAXQKAWkSAXoiBkdhdGhlcgoTCgFmCgF6EgZzY29yZXMiA0FkZBIHYnJpdHRsZSoNCAEQASIEAAAAAEIBdFogCgVpbWFnZRIXChUIARIRCgMSAU4KAggDCgIICAoCCAhiGQoGc2NvcmVzEg8KDQgBEgkKAxIBTgoCCANCBAoAEA0=',
  /** Sees the left half only. */
  leftHalf: 'CAgSADq0AQoaCgVpbWFnZQoBcwoBZQoBYRIBbCIFU2xpY2UKGQoBbBIBcCIRR2xvYmFsQXZlcmFnZVBvb2wKFAoBcBIGc2NvcmVzIgdGbGF0dGVuEgRsZWZ0KgoIARAHOgEAQgFzKgoIARAHOgEEQgFlKgoIARAHOgEDQgFhWiAKBWltYWdlEhcKFQgBEhEKAxIBTgoCCAMKAggICgIICGIZCgZzY29yZXMSDwoNCAESCQoDEgFOCgIIA0IECgAQDQ==',
  twoInputs: 'CAgSADq0AQoWCgVpbWFnZQoFb3RoZXISAXMiA0FkZAoZCgFzEgFwIhFHbG9iYWxBdmVyYWdlUG9vbAoUCgFwEgZzY29yZXMiB0ZsYXR0ZW4SCnR3b19pbnB1dHNaIAoFaW1hZ2USFwoVCAESEQoDEgFOCgIIAwoCCAgKAggIWiAKBW90aGVyEhcKFQgBEhEKAxIBTgoCCAMKAggICgIICGIZCgZzY29yZXMSDwoNCAESCQoDEgFOCgIIA0IECgAQDQ==',
  integerInput: 'CAgSADqRAQobCgVpbWFnZRIBZiIEQ2FzdCoJCgJ0bxgBoAECChkKAWYSAXAiEUdsb2JhbEF2ZXJhZ2VQb29sChQKAXASBnNjb3JlcyIHRmxhdHRlbhIEaW50c1ogCgVpbWFnZRIXChUIAhIRCgMSAU4KAggDCgIICAoCCAhiGQoGc2NvcmVzEg8KDQgBEgkKAxIBTgoCCANCBAoAEA0=',
  /** The logarithm of a negative number. */
  notANumber: 'CAgSADqjAQodCgVpbWFnZRIBcCIRR2xvYmFsQXZlcmFnZVBvb2wKDwoBcBIBZiIHRmxhdHRlbgoOCgFmCgFvEgFnIgNTdWIKEAoBZxIGc2NvcmVzIgNMb2cSA25hbioNCAEQASIEAADIQkIBb1ogCgVpbWFnZRIXChUIARIRCgMSAU4KAggDCgIICAoCCAhiGQoGc2NvcmVzEg8KDQgBEgkKAxIBTgoCCANCBAoAEA0=',
};

export type TinyModel = keyof typeof weights;

export function tinyWeights(model: TinyModel): Buffer {
  return Buffer.from(weights[model], 'base64');
}

export const tinyManifest = {
  name: 'tiny',
  version: '1',
  preprocessing: { resize: 8, crop: 8, mean: [0, 0, 0], std: [1, 1, 1] },
};

/** A model directory; `files` replaces its files, `undefined` leaves one out. */
export async function writeTinyModel(
  model: TinyModel,
  files: Record<string, string | Uint8Array | undefined> = {},
): Promise<AsyncDisposable & { path: string }> {
  const path = await mkdtemp(join(tmpdir(), 'visionscale-model-'));
  const all = {
    'model.onnx': tinyWeights(model),
    'labels.txt': 'red\ngreen\nblue\n',
    'model.json': JSON.stringify(tinyManifest),
    ...files,
  };
  for (const [name, content] of Object.entries(all)) {
    if (content !== undefined) await writeFile(join(path, name), content);
  }
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}
