/** protobufjs's messages to plain objects and back, fields unknown to the description included. */
import protobuf from 'protobufjs/light.js';
import { invalidOnnx } from './invalid.ts';

type Plain = Record<string, unknown>;

/** Where protobufjs keeps the fields that the description does not name. */
interface WithUnknowns {
  $unknowns?: Uint8Array[];
}

export function toPlain(type: protobuf.Type, message: object): Plain {
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

export function toMessage(type: protobuf.Type, plain: object): object {
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
