/** Which engine to use: the one asked for, or the fastest that opens. */
import { UsageError, VisionscaleError } from '../../base/errors.ts';
import { engineNames, type Device, type EngineName } from './classifier.ts';

export interface Wanted {
  /** What is opened, for people. */
  called: string;
  engine: EngineName | 'auto';
  /** Any but `cpu` is the engine `onnx`'s alone. */
  device: Device;
}

/**
 * Opens the engine asked for; for `auto` the first, in order of speed, that can be had. `onNotice` is told what `auto` took,
 * and why. Throws what the fastest engine threw where there is none, a UsageError where engine and device do not go together.
 */
export async function chooseEngine<T>(
  { called, engine: wanted, device }: Wanted,
  onNotice: (text: string) => void,
  open: (engine: EngineName) => Promise<T>,
): Promise<{ engine: EngineName; opened: T }> {
  if (wanted !== 'auto' && wanted !== 'onnx' && device !== 'cpu') {
    throw new UsageError(`--device ${device} is for --engine onnx: ${wanted} computes on the CPU`);
  }
  if (wanted !== 'auto') return { engine: wanted, opened: await open(wanted) };
  let fastest: VisionscaleError | undefined;
  for (const engine of device === 'cpu' ? engineNames : (['onnx'] as const)) {
    try {
      const opened = await open(engine);
      onNotice(
        fastest === undefined
          ? `${called} (${engine}) ready`
          : `${called} (${engine}) ready: ${fastest.message}. ${fastest.hint}`,
      );
      return { engine, opened };
    } catch (error) {
      if (!(error instanceof VisionscaleError) || !mayDoWithout(engine, error)) throw error;
      fastest ??= error; // the one worth installing
    }
  }
  throw fastest ?? new Error('there are no engines');
}

/** Other errors are the model's fault and would be the same with the next engine; but tfjs executes one network only. */
function mayDoWithout(engine: EngineName, { code }: VisionscaleError): boolean {
  return code === 'engine_unavailable' || (engine === 'tfjs' && code === 'model_invalid');
}
