/** Codes of `serve`: in the bodies of refusals (application/problem+json) and in /readyz. */

export const httpCodes = {
  bad_form: '400: The form cannot be read. Send multipart/form-data with a file in each part.',
  bad_request:
    '400: Not a valid HTTP request, or address (414: the id in it is too long). Fix the sender; the detail says what is wrong.',
  busy: '429: The server is at its limit. Try again after the time in Retry-After.',
  disk_full: '/readyz: The disk of the embedded database or of the store is full. Free some space.',
  empty: '400: The body is empty. Send the image.',
  failed: '/readyz: A check failed unexpectedly. See the server’s log.',
  foreign_host: '403: Without tokens the server answers only to localhost. Use that name, or set tokens.',
  foreign_origin: '403: Pages of this origin may not use the server. Allow the origin with `serve --cors`.',
  form_too_large: '413: The form is too large. Send fewer images at a time.',
  headers_too_large: '431: The headers are too large. Send fewer.',
  idempotency_key_reused: '422: This Idempotency-Key was used for another image. Use a new one.',
  incomplete: '400: The connection ended before the image was complete. Send it again.',
  internal: '500: A fault of visionscale. The server’s log has details; please report it.',
  invalid_request: '400: A parameter, header or body has the wrong form. The detail names it.',
  method_not_allowed: '405: The address does not support this method. Use one that Allow lists.',
  no_image: '400: The form has no file. Give the part a filename, or an image’s Content-Type.',
  not_an_image:
    '415 (400 at `POST /`): The content or its type is not an image. Send JPEG, PNG, WebP, GIF, TIFF or BMP.',
  not_found: '404: There is nothing at this address, or no image with this id.',
  proxied: '403: Without tokens the server accepts no requests through a proxy. Set tokens.',
  rate_limited: '429: More requests a second than `--rate-limit`. Try again after the time in Retry-After.',
  read_only:
    '403: A server without tokens that others can reach accepts no images and changes nothing. Set `VISIONSCALE_TOKENS`.',
  forbidden:
    '403: The role of the token does not allow this. `visionscale serve --new-token NAME --role operate` makes one that does.',
  stopping: '503: The server is stopping. Send the image to another one, or try again.',
  store_missing: '/readyz: The bucket or directory of the store does not exist. Run `visionscale init`.',
  timeout: '/readyz: A check took more than two seconds. Check whether that server is slow.',
  too_large:
    '413: The image is larger than `VISIONSCALE_MAX_IMAGE_BYTES`. Save it smaller, or raise the limit.',
  too_many_failures:
    '429: Too many requests from this address had no valid token. Wait for the time in Retry-After.',
  too_slow: '408: The request arrived too slowly. Use a faster connection or a smaller image.',
  topic_missing: '/readyz: The topic does not exist. Run `visionscale init`.',
  unconfirmed:
    '409: The model is not switched yet. The answer says what would change: send `confirm`, and `force` where it asks.',
  unauthorized: '401: A valid bearer token is needed. Send `Authorization: Bearer <token>`.',
  unsupported_encoding: '415: Bodies with a Content-Encoding are not supported. Send the image as it is.',
  unsupported_format: '415: The image’s format is not supported. Convert it to JPEG or PNG.',
} as const;
