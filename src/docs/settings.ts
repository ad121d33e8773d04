/** The settings, as a page and as a file to copy. */
import { settings } from '../lib/config/settings/settings.ts';
import { plain, table } from './table.ts';

const sections = [...new Set(settings.map(({ section }) => section))];

/** `.env.example`: every setting, commented out, with its default or an example. */
export function envExample(): string {
  const lines = [
    '# Settings of visionscale. Copy to .env and fill in what differs; flags and the environment win over .env.',
    '# A setting marked [secret] may also come from a file: NAME_FILE=/run/secrets/name in the environment, not in .env.',
    '# Any librdkafka property: KAFKA_CONF_ and its name with _ for the dots, e.g. KAFKA_CONF_security_protocol=SASL_SSL.',
  ];
  for (const section of sections) {
    lines.push('', `# --- ${section}`);
    for (const setting of settings) {
      if (setting.section !== section) continue;
      const secret = setting.secret ? ' [secret]' : '';
      const otherwise = setting.default ?? setting.otherwise;
      const fallback = otherwise === undefined ? '' : ` Default: ${otherwise}.`;
      lines.push(`# ${setting.description}.${secret}${fallback}`, `#${setting.env}=${setting.example ?? ''}`);
    }
  }
  return `${lines.join('\n')}\n`;
}

/** A table for each section. */
export function settingsTables(): string {
  return sections.map((section) => `## ${section}\n\n${settingsTable(section)}`).join('\n\n');
}

function settingsTable(section: string): string {
  const rows = settings
    .filter((setting) => setting.section === section)
    .map(({ env, flag, description, secret, default: fallback, otherwise }) => [
      `\`${env}\``,
      flag === undefined ? '' : `\`${flag}\``,
      `${plain(description)}.${secret ? ' _Secret._' : ''}`,
      fallback === undefined ? (otherwise ?? '') : `\`${fallback}\``,
    ]);
  return table(['Setting', 'Flag', 'Meaning', 'Default'], rows);
}
