/** One setting: all that the parser, `--help`, `.env.example` and the documents have to know of it. */
import type { z } from 'zod';
import type * as schemas from './schemas.ts';

export interface Setting {
  /** Its environment variable. */
  env: string;
  section: string;
  /** One or more sentences, without a full stop at the end. */
  description: string;
  /** What its text has to be, and what it means. A function, so that zod is loaded only where settings are parsed. */
  schema: (kinds: typeof schemas) => z.ZodType<unknown, string>;
  /** As a user would write it; it goes through the schema too. */
  default?: string;
  /** In words, where the default is no fixed value. */
  otherwise?: string;
  example?: string;
  /** The long flag that overrides it, where there is one. */
  flag?: string;
  /** Placeholder of the flag's value in `--help`. */
  value?: string;
  /** Its values, where they can be named; the schema decides. */
  choices?: readonly string[];
  /** For `--no-…`: what the flag does. */
  flagDescription?: string;
  /** Most commands have the flag, so that help lists it apart from a command's own. */
  common?: true;
  /** May come from a file named by `<env>_FILE`; never printed. */
  secret?: true;
}
