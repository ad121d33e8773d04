/** Methods that a path does not know are told which it knows: 405, not 404. */
import type { HTTPMethods } from 'fastify';
import type { App } from '../context.ts';
import { Problem } from '../problem.ts';

export function refuseOtherMethods(app: App, url: string, known: readonly HTTPMethods[]): void {
  const allow = known.join(', ');
  app.route({
    method: (app.supportedMethods as HTTPMethods[]).filter((method) => !known.includes(method)),
    url,
    schema: { hide: true },
    // Before anything else can be wrong with the request.
    onRequest: async ({ method }, reply) => {
      void reply.header('allow', allow);
      throw new Problem(405, 'method_not_allowed', `${method} is not known here: ${allow}`);
    },
    handler: () => undefined,
  });
}
