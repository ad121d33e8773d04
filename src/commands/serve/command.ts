/** `visionscale serve` */
import { Command, InvalidArgumentError, Option } from 'commander';
import { tokenRoles } from '../../lib/config/http.ts';
import { infrastructure, metricsSettings, run, whileStdin, withSettings } from '../shared/run.ts';
import type { ServeFlags } from './action.ts';

export function serveCommand(): Command {
  const command = new Command('serve')
    .description('Accept images over HTTP, answer with their results, and show the live page')
    .option(
      '--new-token <name>',
      'Print a new token and its entry for VISIONSCALE_TOKENS, and exit',
      tokenName,
    )
    .addOption(new Option('--role <role>', 'What the new token may do (default: ingest)').choices(tokenRoles))
    .addOption(whileStdin())
    .addHelpText(
      'after',
      '\nExample:\n  $ visionscale serve --port 8080\n  $ curl --data-binary @cat.jpg -H "visionscale-image-name: cat.jpg" \\\n' +
        "      'http://127.0.0.1:8080/v1/images?wait=5s'\n\n" +
        'A live page is at /, the API is described at /openapi.json. Images are\nclassified by consumers: visionscale consume.',
    );
  return withSettings(command, [
    'VISIONSCALE_HTTP_HOST',
    'VISIONSCALE_HTTP_PORT',
    'VISIONSCALE_TLS_CERT',
    'VISIONSCALE_TLS_KEY',
    'VISIONSCALE_INGEST',
    'VISIONSCALE_MAX_INLINE',
    'VISIONSCALE_MAX_IN_FLIGHT',
    'VISIONSCALE_RATE_LIMIT',
    'VISIONSCALE_CORS',
    'VISIONSCALE_DRAIN_DELAY',
    'VISIONSCALE_IMAGE_TIMEOUT',
    'VISIONSCALE_DEADLINE',
    'VISIONSCALE_MODEL',
    'VISIONSCALE_MODELS',
    ...infrastructure,
    ...metricsSettings,
  ]).action((options: ServeFlags, self: Command) => run(self, () => import('./action.ts'), options));
}

function tokenName(text: string): string {
  if (!/^[A-Za-z0-9._-]{1,100}$/.test(text)) {
    throw new InvalidArgumentError('A name is 1 to 100 of the characters a-z A-Z 0-9 . _ -');
  }
  return text;
}
