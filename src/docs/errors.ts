/** Every error code there is, in groups, for docs/errors.md. */
import { commandCodes, imageCodes, learningCodes, modelCodes } from './error-codes/commands.ts';
import { deadLetterCodes } from './error-codes/dead-letters.ts';
import { httpCodes } from './error-codes/http.ts';
import { databaseCodes, embeddedCodes, storeCodes, topicCodes } from './error-codes/servers.ts';
import { table } from './table.ts';

/** By the heading of their group; of each code what it means and what to do. */
export const errorCodes: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  'Dead letters': deadLetterCodes,
  Commands: commandCodes,
  'Image files': imageCodes,
  'Models and engines': modelCodes,
  'Training and corrections': learningCodes,
  PostgreSQL: databaseCodes,
  'Embedded PostgreSQL': embeddedCodes,
  'Topic and Kafka': topicCodes,
  'Object store': storeCodes,
  HTTP: httpCodes,
};

export function errorTables(): string {
  return Object.entries(errorCodes)
    .map(([heading, codes]) => {
      const rows = Object.entries(codes).map(([code, meaning]) => [`\`${code}\``, meaning]);
      return `## ${heading}\n\n${table(['Code', 'What it means, and what to do'], rows)}`;
    })
    .join('\n\n');
}
