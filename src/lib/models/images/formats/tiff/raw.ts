/** Camera raw files that are built like TIFF, told by what defines them: the picture in front is a thumbnail only. */
import { openTiff, TiffDirectory } from './directory.ts';

const MAKE = 271;
const PHOTOMETRIC = 262;
const SUB_DIRECTORIES = 330;
const DNG_VERSION = 50706;
/** Photometric interpretations of what a sensor saw: a mosaic of one colour a pixel, and the same put together. */
const sensor = new Set([32803, 34892]);

/** Which raw format these bytes are; undefined where they are an ordinary TIFF, or none at all. */
export function rawFormat(bytes: Uint8Array): string | undefined {
  const file = openTiff(bytes);
  if (file === undefined || file.big) return undefined;
  // Canon's header is 16 bytes, with a mark and a version where another file may have pixels.
  const mark = Buffer.from(bytes.subarray(8, 11)).toString('latin1');
  if (file.first === 16 && mark === 'CR\x02') return 'Canon raw (CR2)';
  try {
    const main = new TiffDirectory(file, file.first);
    if (main.has(DNG_VERSION)) return 'raw (DNG)';
    const others = [...(main.numbers(SUB_DIRECTORIES, 8) ?? [])].map((at) => new TiffDirectory(file, at));
    if (![main, ...others].some((directory) => sensor.has(directory.number(PHOTOMETRIC) ?? 0))) {
      return undefined;
    }
    const make = main.text(MAKE).toUpperCase();
    if (make.startsWith('NIKON')) return 'Nikon raw (NEF)';
    if (make.startsWith('SONY')) return 'Sony raw (ARW)';
    return 'camera raw';
  } catch {
    return undefined; // a damaged file says so where it is read as the TIFF that it claims to be
  }
}
