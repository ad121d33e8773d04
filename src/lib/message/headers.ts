/** The message headers that visionscale writes and understands; values are text. */

export const header = {
  requestId: 'visionscale-request-id',
  /** ISO 8601, or milliseconds since the epoch. */
  capturedAt: 'visionscale-captured-at',
  belt: 'visionscale-belt',
  /** What the message's value is, not the image: `text/plain` is an image key. */
  contentType: 'content-type',
  /** Only from `dead-letters retry`: how many attempts the dead letter had when it was sent once more. */
  retry: 'visionscale-retry',
} as const;

/** The content type of a message whose value is an image key. */
export const keyContentType = 'text/plain; charset=utf-8';
