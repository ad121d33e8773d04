/** An HTTP client that never stops a server for a slow reader, and so never meets the end of a connection while it is stopped. */
import type { Dispatcher } from 'undici';

/**
 * undici 7 ends the process there, with an assertion that nothing can catch (its issue 5360): where a server, or a proxy,
 * closes the connection behind its answer. What is not read yet waits in memory instead: `maxBytes` at most, then
 * `tooLarge` is what the request fails with.
 */
export function unpaused(dispatcher: Dispatcher, maxBytes: number, tooLarge: () => Error): Dispatcher {
  return dispatcher.compose((dispatch) => (options, handler) => {
    let received = 0;
    return dispatch(options, {
      onRequestStart: (controller, context) => handler.onRequestStart?.(steady(controller), context),
      onRequestUpgrade: (controller, ...rest) => handler.onRequestUpgrade?.(steady(controller), ...rest),
      onResponseStart: (controller, ...rest) => handler.onResponseStart?.(steady(controller), ...rest),
      onResponseData(controller, chunk) {
        received += chunk.length;
        if (received > maxBytes) return controller.abort(tooLarge());
        handler.onResponseData?.(steady(controller), chunk);
      },
      onResponseEnd: (controller, trailers) => handler.onResponseEnd?.(steady(controller), trailers),
      onResponseError: (controller, error) => handler.onResponseError?.(steady(controller), error),
    });
  });
}

function steady(controller: Dispatcher.DispatchController): Dispatcher.DispatchController {
  return new Proxy(controller, {
    get(target, key) {
      if (key === 'pause' || key === 'resume') return () => undefined;
      const value: unknown = Reflect.get(target, key, target);
      return typeof value === 'function' ? (value.bind(target) as unknown) : value;
    },
  });
}
