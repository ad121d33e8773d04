/** Reads and writes ONNX files. Nothing in them is executed. */
import protobuf from 'protobufjs/light.js';
import { errorMessage, VisionscaleError } from '../../base/errors.ts';
import { invalidOnnx, type OnnxModel } from './graph.ts';
import { modelType, checkFile, keepsDataElsewhere } from './scan.ts';

export type * from './graph.ts';

const MAX_BYTES = 512 * 2 ** 20;

/**
 * The model in `bytes`; its tensors' data lies in one copy of them. Throws a VisionscaleError `model_invalid` for anything
 * that is not a model with a graph, or is larger than `maxBytes`, or keeps tensors in other files (unless `mayLack` them).
 */
export function parseOnnx(bytes: Uint8Array, maxBytes = MAX_BYTES, mayLack = false): OnnxModel {
  if (bytes.length > maxBytes) {
    const size = (length: number) => `${(length / 2 ** 20).toFixed(1)} MiB`;
    throw invalidOnnx(`the model has ${size(bytes.length)}; the limit is ${size(maxBytes)}`);
  }
  const plain = decode(Uint8Array.from(bytes), mayLack) as unknown as OnnxModel;
  if ((plain.graph as unknown) === undefined) throw invalidOnnx('the file holds no ONNX graph');
  return plain;
}

export function serializeOnnx(model: OnnxModel): Uint8Array {
  return modelType.encode(toMessage(modelType, model)).finish();
}

function decode(bytes: Uint8Array, mayLack: boolean): Record<string, unknown> {
  try {
    if (mayLack) keepsDataElsewhere(bytes);
    else checkFile(bytes);
    const reader = protobuf.Reader.create(bytes);
    reader.discardUnknown = false;
    return toPlain(modelType, modelType.decode(reader));
  } catch (cause) {
    if (cause instanceof VisionscaleError) throw cause;
    throw invalidOnnx(`the file is not ONNX: ${errorMessage(cause)}`, { cause });
  }
}

type Plain = Record<string, unknown>;

/** Where protobufjs keeps the fields that the description does not name. */
interface WithUnknowns {
  $unknowns?: Uint8Array[];
}

/** protobufjs's messages to plain objects and back, fields unknown to the description included. */
function toPlain(type: protobuf.Type, message: object): Plain {
  const plain: Plain = {};
  for (const field of type.fieldsArray) {
    const value = (message as Plain)[field.name];
    if (field.repeated) {
      if (field.options?.rare && (value as unknown[]).length === 0) continue;
      plain[field.name] = (value as unknown[]).map((item) => readValue(field, item));
    } else if (Object.hasOwn(message, field.name)) plain[field.name] = readValue(field, value);
  }
  const unknown = (message as WithUnknowns).$unknowns;
  if (unknown !== undefined) plain.unknownFields = unknown;
  return plain;
}

function toMessage(type: protobuf.Type, plain: object): object {
  const message: Plain & WithUnknowns = {};
  for (const field of type.fieldsArray) {
    const value = (plain as Plain)[field.name];
    if (value === undefined) continue;
    message[field.name] = field.repeated
      ? (value as unknown[]).map((item) => writeValue(field, item))
      : writeValue(field, value);
  }
  const unknown = (plain as Plain).unknownFields;
  if (unknown !== undefined) message.$unknowns = unknown as Uint8Array[];
  return message;
}

function readValue(field: protobuf.Field, value: unknown): unknown {
  if (field.resolvedType instanceof protobuf.Type) return toPlain(field.resolvedType, value as object);
  if (field.type !== 'int64') return value;
  const exact = BigInt(String(value)); // protobufjs reads an int64 into an object with toString()
  if (field.options?.wide) return exact;
  const number = Number(exact);
  if (!Number.isSafeInteger(number)) {
    throw invalidOnnx(`${field.fullName.slice(1)} is ${exact}, out of all proportion`);
  }
  return number;
}

function writeValue(field: protobuf.Field, value: unknown): unknown {
  if (field.resolvedType instanceof protobuf.Type) return toMessage(field.resolvedType, value as object);
  if (field.type !== 'int64') return value;
  const bits = BigInt(value as number | bigint);
  return { low: Number(BigInt.asIntN(32, bits)), high: Number(BigInt.asIntN(32, bits >> 32n)) };
}
