/** Senders that ask before they send (`Expect: 100-continue`) are told to go on only when their body is wanted. */
import type { IncomingMessage, Server, ServerResponse } from 'node:http';

const asking = new WeakMap<IncomingMessage, ServerResponse>();

export function holdContinue(server: Server): void {
  server.on('checkContinue', (request: IncomingMessage, response: ServerResponse) => {
    asking.set(request, response);
    server.emit('request', request, response);
  });
}

/** The body is about to be read. */
export function invite(request: IncomingMessage): void {
  asking.get(request)?.writeContinue();
  asking.delete(request);
}
