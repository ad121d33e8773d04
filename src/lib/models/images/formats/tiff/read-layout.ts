/** Reads where a TIFF file keeps its pixels and what they mean, held against the file before any of it is unpacked. */
import { corrupt, truncated, unsupported } from '../../failures.ts';
import { checkPixels, type ImageLimits } from '../../limits.ts';
import { xmpOrientation } from '../../orientation.ts';
import { hasNoWhite } from './colour.ts';
import { openTiff, TiffDirectory } from './directory.ts';
import { type Photometric, type Compression, type SampleFormat, type TiffLayout, coloursOf, unpackedBytes } from './layout.ts';

const WIDTH = 256;
const HEIGHT = 257;
const BITS = 258;
const COMPRESSION = 259;
const PHOTOMETRIC = 262;
const FILL_ORDER = 266;
const STRIP_OFFSETS = 273;
const ORIENTATION = 274;
const SAMPLES = 277;
const ROWS_PER_STRIP = 278;
const STRIP_COUNTS = 279;
const PLANAR = 284;
const PREDICTOR = 317;
const TILE_WIDTH = 322;
const XMP = 700;
const TILE_HEIGHT = 323;
const TILE_OFFSETS = 324;
const TILE_COUNTS = 325;
const EXTRA_SAMPLES = 338;
const SAMPLE_FORMAT = 339;
const SUBSAMPLING = 530;

const compressions = new Map<number, Compression>([
  [1, 'none'],
  [2, 'fax'],
  [3, 'fax'],
  [4, 'fax'],
  [5, 'lzw'],
  [7, 'jpeg'],
  [8, 'deflate'],
  [32773, 'packbits'],
  [32946, 'deflate'],
]);

const otherCompressions = new Map([
  [6, 'old-style JPEG'],
  [9, 'JBIG'],
  [10, 'JBIG'],
  [32766, 'NeXT'],
  [32809, 'ThunderScan'],
  [32908, 'PixarFilm'],
  [32909, 'PixarLog'],
  [34661, 'JBIG'],
  [34676, 'SGILog'],
  [34677, 'SGILog24'],
  [34712, 'JPEG 2000'],
  [33003, 'JPEG 2000'],
  [33005, 'JPEG 2000'],
  [34887, 'LERC'],
  [34925, 'LZMA'],
  [34933, 'PNG'],
  [34934, 'JPEG XR'],
  [22610, 'JPEG XR'],
  [50000, 'Zstandard'],
  [50001, 'WebP'],
  [50002, 'JPEG XL'],
  [52546, 'JPEG XL'],
]);

const photometrics: readonly (Photometric | undefined)[] = [
  'white',
  'black',
  'rgb',
  'palette',
  undefined,
  'cmyk',
  'ycbcr',
  undefined,
  'lab',
];

const otherPhotometrics = new Map([
  [4, 'a transparency mask'],
  [9, 'ICC Lab'],
  [10, 'ITU Lab'],
  [32844, 'LogL'],
  [32845, 'LogLuv'],
]);

/** Which bits a sample are read, in which format of samples; 32-bit samples only where there is one a pixel. */
const depths: Record<Photometric, Partial<Record<SampleFormat, readonly number[]>>> = {
  white: { uint: [1, 2, 4, 8, 16] },
  black: { uint: [1, 2, 4, 8, 12, 16, 32], int: [8, 16, 32], float: [32] },
  rgb: { uint: [8, 16] },
  palette: { uint: [1, 2, 4, 8] },
  cmyk: { uint: [8, 16] },
  ycbcr: { uint: [8] },
  lab: { uint: [8] },
};

const ASSOCIATED_ALPHA = 1;

const maxSamples = 8;

const maxChunks = 2 ** 21;

/** Bytes of an unpacked strip or tile for each pixel that an image may have: 16-bit RGB in one piece. */
const maxUnpacked = 6;

/** How much of a file may be used twice: some writers count a few bytes too many for each strip. */
const maxOverlap = 0.01;

/** Reads the first directory. Throws an ImageError that names what is broken or cannot be read. */
export function readTiffLayout(bytes: Uint8Array, limits: ImageLimits): TiffLayout {
  const file = openTiff(bytes);
  if (file === undefined) throw corrupt('tiff', 'it has no header');
  const directory = new TiffDirectory(file, file.first);
  const width = size(directory, WIDTH, 'width');
  const height = size(directory, HEIGHT, 'height');
  checkPixels(width, height, limits);
  const orientation = directory.number(ORIENTATION) ?? xmpOrientation(directory.text(XMP, 2 ** 16)) ?? 1;
  const layout = {
    directory,
    width,
    height,
    orientation: isCount(orientation) && orientation <= 8 ? orientation : 1,
    littleEndian: file.littleEndian,
    planar: directory.number(PLANAR) === 2,
    predictor: directory.number(PREDICTOR) ?? 1,
    reversed: directory.number(FILL_ORDER) === 2,
    ...readSamples(directory),
  };
  if (layout.planar && layout.subsampling.some((step) => step > 1)) {
    throw unsupported('TIFF files of subsampled YCbCr in planes');
  }
  const places = readPlaces(bytes, layout, limits);
  return { ...layout, ...places };
}

function size(directory: TiffDirectory, tag: number, name: string): number {
  const value = directory.number(tag);
  if (value === undefined) throw corrupt('tiff', `it names no ${name}`);
  if (!isCount(value)) throw corrupt('tiff', `its ${name} is ${value}`);
  return value;
}

/** Any number can be written as a fraction, a negative or a floating-point one. */
function isCount(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 1;
}

function readSamples(directory: TiffDirectory) {
  const code = directory.number(COMPRESSION) ?? 1;
  const compression = compressions.get(code);
  if (compression === undefined) {
    throw unsupported(`TIFF files with ${otherCompressions.get(code) ?? `compression ${code}`}`);
  }
  const meaning = directory.number(PHOTOMETRIC) ?? 0;
  const photometric = photometrics[meaning];
  if (photometric === undefined) {
    throw unsupported(
      `TIFF files of ${otherPhotometrics.get(meaning) ?? `photometric interpretation ${meaning}`}`,
    );
  }
  const samples = directory.number(SAMPLES) ?? 1;
  const extras = directory.numbers(EXTRA_SAMPLES) ?? [];
  const wanted = coloursOf[photometric];
  // Alpha without a word about it is common.
  const surplus = samples - wanted - extras.length;
  if (samples < wanted || samples > maxSamples || (surplus !== 0 && (surplus !== 1 || extras.length > 0))) {
    throw unsupported(`TIFF files of ${samples} samples a pixel where ${names[photometric]} has ${wanted}`);
  }
  const depth = directory.numbers(BITS) ?? Float64Array.of(1);
  const bits = depth[0]!;
  if (depth.subarray(0, samples).some((other) => other !== bits)) {
    throw unsupported('TIFF files whose samples differ in bits');
  }
  const formatCode = directory.number(SAMPLE_FORMAT) ?? 1;
  const format = ({ 1: 'uint', 2: 'int', 3: 'float', 4: 'uint' } as const)[formatCode];
  if (format === undefined) throw unsupported('TIFF files of complex numbers');
  const readable = depths[photometric][format]?.includes(bits) ?? false;
  const coded = compression === 'fax' ? 1 : compression === 'jpeg' ? 8 : bits;
  if (!readable || bits !== coded || (samples > 1 && (bits === 12 || hasNoWhite({ bits, format })))) {
    const kind = { uint: '', int: 'signed ', float: 'floating-point ' }[format];
    const packed = bits === coded ? '' : ` in ${compression === 'jpeg' ? 'JPEG' : 'fax'} compression`;
    throw unsupported(`TIFF files of ${names[photometric]} in ${kind}samples of ${bits} bits${packed}`);
  }
  const [wide = 2, high = 2] = directory.numbers(SUBSAMPLING, 2) ?? [];
  const subsampling: readonly [number, number] = photometric === 'ycbcr' ? [wide, high] : [1, 1];
  if (subsampling.some((step) => ![1, 2, 4].includes(step))) {
    throw corrupt('tiff', `colour subsampling of ${wide}×${high}`);
  }
  return {
    compression,
    photometric,
    samples,
    bits,
    format,
    subsampling,
    premultiplied: extras[0] === ASSOCIATED_ALPHA,
  };
}

const names: Record<Photometric, string> = {
  white: 'grey (zero is white)',
  black: 'grey',
  rgb: 'RGB',
  palette: 'palette colour',
  cmyk: 'CMYK',
  ycbcr: 'YCbCr',
  lab: 'CIE Lab',
};

type Found = Omit<
  TiffLayout,
  'tiled' | 'chunkWidth' | 'chunkHeight' | 'across' | 'down' | 'offsets' | 'counts'
>;

/** Strips or tiles: as many as the size asks for, all within the file, none over another. */
function readPlaces(bytes: Uint8Array, found: Found, limits: ImageLimits) {
  const { directory, width, height, planar, samples } = found;
  // As readers do: strips where there are both.
  const tiled = !directory.has(STRIP_OFFSETS) && directory.has(TILE_OFFSETS);
  const chunkWidth = tiled ? size(directory, TILE_WIDTH, 'tile width') : width;
  const rows = tiled
    ? size(directory, TILE_HEIGHT, 'tile height')
    : (directory.number(ROWS_PER_STRIP) ?? height);
  if (!isCount(rows)) throw corrupt('tiff', `${rows} rows a strip`);
  const chunkHeight = tiled ? rows : Math.min(rows, height);
  const across = Math.ceil(width / chunkWidth);
  const down = Math.ceil(height / chunkHeight);
  const one = tiled ? 'tile' : 'strip';
  const chunks = across * down * (planar ? samples : 1);
  if (chunks > maxChunks) throw corrupt('tiff', `${chunks} ${one}s for ${width}×${height} pixels`);
  // Tiles may reach far over the edge of the picture.
  checkPadding(across * chunkWidth * down * chunkHeight, limits);
  const unpacked = unpackedBytes({ ...found, chunkWidth }, chunkHeight);
  if (found.compression !== 'none' && unpacked > maxUnpacked * limits.maxPixels) {
    throw unsupported(`TIFF files with a ${one} of ${Math.ceil(unpacked / 2 ** 20)} MiB`);
  }
  const offsets = directory.numbers(tiled ? TILE_OFFSETS : STRIP_OFFSETS, chunks);
  if (offsets === undefined) throw corrupt('tiff', 'it does not say where its pixels are');
  if (offsets.length < chunks) throw corrupt('tiff', `it has ${offsets.length} of ${chunks} ${one}s`);
  const places = { tiled, chunkWidth, chunkHeight, across, down, offsets };
  const counts = readCounts(bytes, { ...found, ...places });
  checkOverlap(offsets, counts, bytes.length, one);
  return { ...places, counts };
}

function checkPadding(pixels: number, limits: ImageLimits): void {
  if (pixels <= 2 * limits.maxPixels) return;
  throw corrupt(
    'tiff',
    `its tiles hold ${Math.round(pixels / 1e6)} megapixels, most of them beyond its edge`,
  );
}

/** How many bytes belong to each strip or tile. */
function readCounts(bytes: Uint8Array, found: Omit<TiffLayout, 'counts'>): Float64Array {
  const { directory, compression, tiled, offsets, down, across, chunkHeight } = found;
  const one = tiled ? 'tile' : 'strip';
  const announced = directory.numbers(tiled ? TILE_COUNTS : STRIP_COUNTS, offsets.length);
  const counts = new Float64Array(offsets.length);
  const starts = announced === undefined ? offsets.slice().sort() : undefined;
  for (let i = 0; i < counts.length; i++) {
    const offset = offsets[i]!;
    if (compression === 'none') {
      const row = Math.floor(i / across) % down;
      counts[i] = unpackedBytes(found, Math.min(chunkHeight, found.height - row * chunkHeight));
    } else if (announced === undefined) {
      // Up to whatever comes next.
      counts[i] = following(starts!, offset, bytes.length) - offset;
    } else {
      counts[i] = announced[i] ?? 0;
    }
    if (counts[i] === 0 || offset === 0) throw corrupt('tiff', `its ${one} ${i + 1} is empty`);
    if (!isCount(offset)) throw corrupt('tiff', `its ${one} ${i + 1} is at ${offset}`);
    if (offset >= bytes.length || offset + counts[i]! > bytes.length) throw truncated('tiff');
    if (!isCount(counts[i]!)) throw corrupt('tiff', `its ${one} ${i + 1} has ${counts[i]} bytes`);
  }
  return counts;
}

/** The first of `sorted` that is greater than `value`; `last` where there is none. */
function following(sorted: Float64Array, value: number, last: number): number {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sorted[middle]! > value) high = middle;
    else low = middle + 1;
  }
  return sorted[low] ?? last;
}

function checkOverlap(offsets: Float64Array, counts: Float64Array, fileBytes: number, one: string): void {
  let sorted = true;
  for (let i = 1; i < offsets.length && sorted; i++) sorted = offsets[i]! >= offsets[i - 1]!;
  // Offsets first: lengths ride along as the order of indices.
  const order = sorted
    ? undefined
    : Uint32Array.from(offsets.keys()).sort((a, b) => offsets[a]! - offsets[b]!);
  let end = 0;
  let overlap = 0;
  for (let k = 0; k < offsets.length; k++) {
    const i = order?.[k] ?? k;
    const stop = offsets[i]! + counts[i]!;
    overlap += Math.max(0, Math.min(end, stop) - offsets[i]!);
    end = Math.max(end, stop);
  }
  if (overlap > maxOverlap * fileBytes) throw corrupt('tiff', `its ${one}s lie over one another`);
}
