/** Looks at images in processes of their own: whatever a file does to its decoder, the caller goes on. */
import { ImageError, VisionscaleError } from '../../base/errors.ts';
import { compiledFile } from '../../base/package.ts';
import { usableCores } from '../../base/sandbox/parallelism.ts';
import { openSandbox, type Sandbox } from '../../base/sandbox/sandbox.ts';
import type { CheckedImage } from './check.ts';
import { crashesDecoder, tooSlow } from './failures.ts';
import { checkBytes, defaultMaxWorkMs, type ImageLimits } from './limits.ts';
import type { Preprocessing } from './preprocess.ts';
import { sniffImage, type SniffedImage } from './sniff.ts';
import { checkStructure } from './structure.ts';

/** One look at an image, whose bytes go beside it. */
export type Look =
  | { kind: 'check' }
  | { kind: 'header' }
  | { kind: 'small pixels'; width: number; height: number }
  | { kind: 'thumbnail'; side: number }
  | { kind: 'input'; preprocessing: Preprocessing; autoOrient: boolean };

export interface LookSetup {
  limits: ImageLimits;
}

/** Every function rejects with an ImageError, `too_slow` among them; the bytes must stay as they are. */
export interface ImagesApart extends AsyncDisposable {
  /** As `checkImage`. */
  check(bytes: Uint8Array): Promise<CheckedImage>;
  /** Takes what is built as its format asks, and what `check` takes: nothing else is decoded. */
  structure(bytes: Uint8Array): Promise<SniffedImage>;
  /** Format and content type of what `readHeader` accepts. */
  header(bytes: Uint8Array): Promise<SniffedImage>;
  /** As `smallPixels`. */
  smallPixels(bytes: Uint8Array, width: number, height: number): Promise<Uint8Array>;
  /** As `thumbnail`. */
  thumbnail(bytes: Uint8Array, side: number): Promise<Uint8Array>;
  /** What a network gets, prepared exactly. */
  input(bytes: Uint8Array, preprocessing: Preprocessing, autoOrient: boolean): Promise<Float32Array>;
}

/** Formats whose headers alone may take long: chains of directories, frames and descriptions behind the pixels. */
const longHeaders = ['tiff', 'gif', 'png', 'webp'];
/** Deaths of a process at one image before that is taken to be the image's fault. */
const mostDeaths = 2;

/** The processes start as they are needed, one a core at most. */
export function openImagesApart(
  limits: ImageLimits,
  onNotice: (text: string) => void = () => undefined,
): ImagesApart {
  let opening: Promise<Sandbox<Look, unknown>> | undefined;
  const open = () =>
    openSandbox<Look, unknown>({
      module: compiledFile('lib/models/images/look'),
      setup: { limits } satisfies LookSetup,
      processes: usableCores(),
      eager: 0,
      limitMs: limits.maxWorkMs ?? defaultMaxWorkMs,
      called: 'a process that looks at images',
      overrun: tooSlow,
      cannotOpen: (how) =>
        new VisionscaleError(`the process that looks at images ${how}`, {
          code: 'decoder_unavailable',
          hint: 'Is the package sharp installed for this platform? Run: visionscale doctor',
        }),
      onNotice,
    });
  const look = async (bytes: Uint8Array, kind: Look): Promise<unknown> => {
    const sandbox = await (opening ??= open());
    for (let deaths = 1; ; deaths++) {
      try {
        return await sandbox.run(kind, bytes);
      } catch (error) {
        if (!(error instanceof VisionscaleError) || error.code !== 'worker_crashed') throw error;
        if (deaths === mostDeaths) throw crashesDecoder(error);
      }
    }
  };
  return {
    check: (bytes) => look(bytes, { kind: 'check' }) as Promise<CheckedImage>,
    async header(bytes) {
      const sniffed = await sniffImage(bytes);
      if (longHeaders.includes(sniffed.format))
        return look(bytes, { kind: 'header' }) as Promise<SniffedImage>;
      // Loads sharp, which not everybody needs who looks at images.
      const { readHeader } = await import('./header.ts');
      return readHeader(bytes, limits);
    },
    async structure(bytes) {
      checkBytes(bytes.length, limits);
      const sniffed = await sniffImage(bytes);
      // Reading where its pixels are may take long, and is most of what can be told without them.
      if (sniffed.format === 'tiff') return look(bytes, { kind: 'header' }) as Promise<SniffedImage>;
      try {
        checkStructure(bytes, sniffed.format, limits);
        return sniffed;
      } catch (error) {
        if (!(error instanceof ImageError)) throw error;
        return look(bytes, { kind: 'check' }) as Promise<SniffedImage>;
      }
    },
    smallPixels: (bytes, width, height) =>
      look(bytes, { kind: 'small pixels', width, height }) as Promise<Uint8Array>,
    thumbnail: (bytes, side) => look(bytes, { kind: 'thumbnail', side }) as Promise<Uint8Array>,
    input: (bytes, preprocessing, autoOrient) =>
      look(bytes, { kind: 'input', preprocessing, autoOrient }) as Promise<Float32Array>,
    async [Symbol.asyncDispose]() {
      await (await opening?.catch(() => undefined))?.[Symbol.asyncDispose]();
    },
  };
}
