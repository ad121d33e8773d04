/** The message headers that visionscale writes and understands; values are text. */

export const header = {
  requestId: 'visionscale-request-id',
  /** ISO 8601, or milliseconds since the epoch. */
  capturedAt: 'visionscale-captured-at',
  belt: 'visionscale-belt',
  /** The image key of an image that is the message's value, where the message key is not it. */
  name: 'visionscale-image-name',
  /** W3C trace context. */
  traceparent: 'traceparent',
  /** What the message's value is: `text/plain` an image key, `application/json` an envelope or event, `image/…` an image. */
  contentType: 'content-type',
  /** Only from `dead-letters retry`: how many attempts the dead letter had when it was sent once more. */
  retry: 'visionscale-retry',
} as const;

/** The content type of a message whose value is an image key. */
export const keyContentType = 'text/plain; charset=utf-8';
