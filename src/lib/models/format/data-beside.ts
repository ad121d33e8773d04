/** Weights that lie in a file beside the .onnx (PyTorch exports so, unless told otherwise), brought into one file. */
import { basename, join } from 'node:path';
import type { OnnxTensor } from '../onnx/graph.ts';
import { parseOnnx, serializeOnnx } from '../onnx/onnx.ts';
import { keepsDataElsewhere } from '../onnx/scan.ts';
import { invalidModel, readModelFile } from './model-files.ts';

/**
 * `weights` themselves where nothing lies elsewhere. Only files of the same directory are read, by name. What other parts of the
 * graph refer to stays, for whoever reads the result to refuse. Throws `model_invalid`.
 */
export async function withDataBeside(weights: Uint8Array, directory: string, maxBytes: number): Promise<Uint8Array> {
  if (!keepsDataElsewhere(weights)) return weights;
  const model = parseOnnx(weights, maxBytes, true);
  const files = new Map<string, Uint8Array>();
  let left = maxBytes - weights.length;
  const initializer: OnnxTensor[] = [];
  for (const tensor of model.graph.initializer) {
    const place = placeOf(tensor);
    if (place === undefined) {
      initializer.push(tensor);
      continue;
    }
    const { location, offset } = place;
    const file = files.get(location) ?? (await readBeside(directory, location, maxBytes));
    files.set(location, file);
    const length = place.length ?? file.length - offset;
    left -= length;
    if (length < 0 || offset + length > file.length) {
      throw invalidModel(`the tensor ${tensor.name ?? ''} lies beyond the end of ${location}`, {
        hint: 'Were both files downloaded completely, and do they belong together?',
      });
    }
    if (left < 0) {
      throw invalidModel(`the weights in ${location} are larger than ${maxBytes / 2 ** 20} MiB`, {
        hint: 'No classifier for a belt is this large.',
      });
    }
    const rawData = file.slice(offset, offset + length);
    const { dataLocation: _, ...kept } = tensor;
    initializer.push({ ...kept, rawData, externalData: [] });
  }
  return serializeOnnx({ ...model, graph: { ...model.graph, initializer } });
}

interface Place {
  location: string;
  /** In bytes; without a length up to the end. */
  offset: number;
  length: number | undefined;
}

function placeOf({ name = '', externalData, dataLocation }: OnnxTensor): Place | undefined {
  if (externalData.length === 0 && (dataLocation ?? 0) === 0) return undefined;
  const said = new Map(externalData.map(({ key, value }) => [key, value]));
  const location = said.get('location') ?? '';
  const isBeside = location !== '' && location === basename(location) && !/[\\/\0]|^\.+$/.test(location);
  if (!isBeside) {
    throw invalidModel(`the tensor ${name} lies in ${JSON.stringify(location)}, not beside the model`, {
      hint: 'Only files of the same directory are read: save the model again as one file, with save_as_external_data=False.',
    });
  }
  const number = (key: string) => {
    const text = said.get(key);
    if (text === undefined) return undefined;
    if (/^\d{1,15}$/.test(text)) return Number(text);
    throw invalidModel(`the ${key} of the tensor ${name} in ${location} is no number`, { hint: 'Export the model again.' });
  };
  return { location, offset: number('offset') ?? 0, length: number('length') };
}

async function readBeside(directory: string, location: string, maxBytes: number): Promise<Uint8Array> {
  const file = await readModelFile(join(directory, location), maxBytes);
  if (file !== undefined) return file;
  throw invalidModel(`the model keeps its weights in ${location}, which is not beside it`, {
    hint:
      'Copy it too, or save the model as one file: torch.onnx.export(…, external_data=False), or\n' +
      'onnx.save_model(model, "model.onnx", save_as_external_data=False).',
  });
}
