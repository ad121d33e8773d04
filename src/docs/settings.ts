/** The settings, as a page and as a file to copy. */
import { type Setting, settings } from '../lib/config/settings.ts';
import { plain, table } from './table.ts';

const all: readonly Setting[] = settings;
const sections = [...new Set(all.map(({ section }) => section))];

/** `.env.example`: every setting, commented out, with its default or an example. */
export function envExample(): string {
  const lines = [
    '# Settings of visionscale. Copy to .env and fill in what differs; flags and the environment win over .env.',
    '# A setting marked [secret] may also come from a file: NAME_FILE=/run/secrets/name in the environment, not in .env.',
    '# Any librdkafka property: KAFKA_CONF_ and its name with _ for the dots, e.g. KAFKA_CONF_security_protocol=SASL_SSL.',
  ];
  for (const section of sections) {
    lines.push('', `# --- ${section}`);
    for (const setting of all) {
      if (setting.section !== section) continue;
      const secret = setting.secret ? ' [secret]' : '';
      const fallback = setting.default === undefined ? '' : ` Default: ${setting.default}.`;
      lines.push(`# ${setting.description}${secret}${fallback}`, `#${setting.env}=${setting.example ?? ''}`);
    }
  }
  return `${lines.join('\n')}\n`;
}

/** A table for each section. */
export function settingsTables(): string {
  return sections.map((section) => `## ${section}\n\n${settingsTable(section)}`).join('\n\n');
}

function settingsTable(section: string): string {
  const rows = all
    .filter((setting) => setting.section === section)
    .map(({ env, flag, description, secret, default: fallback }) => [
      `\`${env}\``,
      flag === undefined ? '' : `\`${flag}\``,
      `${plain(description)}${secret ? ' _Secret._' : ''}`,
      fallback ?? '',
    ]);
  return table(['Setting', 'Flag', 'Meaning', 'Default'], rows);
}
