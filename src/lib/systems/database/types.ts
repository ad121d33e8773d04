/** How columns become values: bigint as a number, for one pool rather than for every user of pg in the process. */
import pg from 'pg';

const { INT8 } = pg.types.builtins;
const int8Array = 1016;

/** Offsets, sizes and counts stay far below 2^53; a value that does not is an error, never a wrong number. */
function toNumber(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value)) throw new RangeError(`bigint ${text} is beyond 2^53`);
  return value;
}

function parserOf(oid: number, format?: string): unknown {
  const standard: unknown = pg.types.getTypeParser(oid, format as 'text');
  if (format === 'binary') return standard;
  if (oid === (INT8 as number)) return toNumber;
  if (oid === int8Array) {
    const toTexts = standard as (text: string) => (string | null)[];
    return (text: string) => toTexts(text).map((item) => (item === null ? null : toNumber(item)));
  }
  return standard;
}

export const int8AsNumber: pg.CustomTypesConfig = {
  getTypeParser: parserOf as typeof pg.types.getTypeParser,
};
