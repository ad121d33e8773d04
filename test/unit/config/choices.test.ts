/** The values that completion offers for settings are those that their schemas take. */
import { expect, it } from 'vitest';
import * as kinds from '../../../src/lib/config/settings/schemas.ts';
import { settings } from '../../../src/lib/config/settings/settings.ts';

const rows = settings.filter(({ choices }) => choices !== undefined);

it.each(rows)('$env', ({ choices, schema }) => {
  for (const choice of choices!) expect(schema(kinds).safeParse(choice).success).toBe(true);
  const refused = schema(kinds).safeParse('none of these').error!.message;
  for (const choice of choices!) expect(refused).toContain(choice);
});
