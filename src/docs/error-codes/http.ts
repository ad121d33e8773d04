/** Codes of `serve`: in the bodies of refusals (application/problem+json) and in /readyz. */

export const httpCodes = {
  bad_form: '400: The form cannot be read. Send multipart/form-data with a file in each part.',
  bad_request: '400: This is no valid HTTP request. Correct the sender.',
  busy: '429: Too much is under way. Come again after the time in Retry-After.',
  disk_full: '/readyz: The disk of the embedded database or of the store is full. Make room.',
  empty: '400: The body has no bytes. Send the image.',
  failed: '/readyz: A check failed for an unforeseen reason. See the server’s log.',
  foreign_host:
    '403: Without tokens the server answers only to localhost. Ask it under that name, or give it tokens.',
  foreign_origin: '403: Pages of this origin may not use the server. Allow the origin with `serve --cors`.',
  form_too_large: '413: The form is too large. Send fewer images at a time.',
  headers_too_large: '431: The headers are too large. Send fewer.',
  idempotency_key_reused: '422: This Idempotency-Key was given to another image. Take a new one.',
  incomplete: '400: The connection ended before the image was complete. Send it again.',
  internal: '500: This should not have happened. The server’s log has more; please report it.',
  invalid_request: '400: A parameter, header or body has the wrong form. The detail names it.',
  method_not_allowed: '405: The address does not know this method. Use one that Allow names.',
  no_image: '400: The form holds no file. Give the part a filename, or an image’s Content-Type.',
  not_an_image:
    '415 (400 at `POST /`): The content or its type is not an image. Send JPEG, PNG, WebP, GIF, TIFF or BMP.',
  not_found: '404: There is nothing under this address, or no image of this id.',
  proxied: '403: Without tokens the server takes no requests through a proxy. Give it tokens.',
  rate_limited: '429: More requests a second than `--rate-limit`. Come again after the time in Retry-After.',
  read_only:
    '403: Without tokens, and reachable from elsewhere, the server takes no images. Set `VISIONSCALE_TOKENS`.',
  stopping: '503: The server is about to stop. Send it to another one, or again.',
  store_missing: '/readyz: The bucket or directory of the store does not exist. Run `visionscale init`.',
  timeout: '/readyz: A check took more than two seconds. See whether that server is slow.',
  too_large:
    '413: The image has more bytes than `VISIONSCALE_MAX_IMAGE_BYTES`. Save it smaller, or raise the limit.',
  too_many_failures:
    '429: Too many requests of this address had no valid token. Wait for the time in Retry-After.',
  too_slow: '408: The request came too slowly. Send it again, over a faster line or smaller.',
  topic_missing: '/readyz: The topic does not exist. Run `visionscale init`.',
  unauthorized: '401: A known bearer token is needed. Send `Authorization: Bearer <token>`.',
  unsupported_encoding: '415: A body with a Content-Encoding is not read. Send the image as it is.',
  unsupported_format: '415: The image’s format is not read. Convert it to JPEG or PNG.',
} as const;
