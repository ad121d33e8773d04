/** Codes of dead letters: requests that can never succeed as they are. `visionscale dead-letters list` shows them. */

export const deadLetterCodes = {
  access_denied:
    'The store denied access to this one image for 15 minutes (`--retry-image-for`), but not to others. Grant access, then retry.',
  archived:
    'The object is in a storage tier that cannot be read. Restore it, then `dead-letters retry --code archived`.',
  bad_key:
    'The object’s name is not a valid image key (1 to 1024 bytes of UTF-8, no control characters, no empty, `.` or `..` part). Rename it and send it again.',
  bucket_missing:
    'The bucket of this one image was missing for 15 minutes while others were readable. Create it, then retry.',
  bucket_not_allowed:
    'An S3 event names a bucket other than the store’s. Allow it with `consume --buckets`, then retry.',
  corrupt:
    'The file is damaged: it cannot be decoded or decompressed. Upload a good one under the same key, then retry.',
  crashes_process:
    'The process died three times with only this image in work. Drop or replace the image, and please report it.',
  empty: 'The file is empty. Upload it again, then retry.',
  labels_mismatch:
    'The model has more or fewer outputs than labels. Fix `labels.txt` and add the model again, then retry.',
  model_invalid:
    'The model returned values that are not scores. Check it with `visionscale model verify`, then retry.',
  moved_by_hand: 'Someone moved the message here with `dead-letters add`. The letter has the reason.',
  no_credentials:
    'No credentials were found for this one image’s bucket for 15 minutes while others were readable. Set them, then retry.',
  not_an_image:
    'The content is not an image, whatever the file name says. Replace it and retry, or drop the letter.',
  not_found:
    'There was no object with this key two seconds (`--not-found-grace`) after its message. Upload it, then `dead-letters retry --code not_found`.',
  not_recordable:
    'The database refuses the outcome of this one message. The letter quotes the server; fix what it names, then retry.',
  outside_store:
    'An S3 event names an object outside the store’s folder. Narrow the event rule, or allow the bucket with `consume --buckets`.',
  refused:
    'The store refuses to return this object: its encryption key is disabled or missing, or it is withheld. Enable the key or upload it again, then retry.',
  too_large:
    'The image is larger than `VISIONSCALE_MAX_IMAGE_BYTES`. Save it smaller or raise the limit, then retry.',
  too_many_pixels:
    'The image has more pixels than `VISIONSCALE_MAX_IMAGE_PIXELS`. Scale it down or raise the limit, then retry.',
  too_many_requests:
    'The message asks for more images than `--message-requests` allows. Send fewer at a time or raise the limit, then retry.',
  too_slow:
    'Decoding and classifying took more CPU time than `--image-timeout`. Save it as JPEG or PNG or raise the limit, then retry.',
  truncated: 'The file is cut off before its last pixel. Upload the whole file, then retry.',
  unavailable:
    'The store failed for this one image for 15 minutes, but not for others. Check the store’s log, then retry.',
  unreadable_message:
    'The message has none of the forms that [messages.md](messages.md) describes. Fix its sender, and drop the letter.',
  unsupported_encoding:
    'The object’s Content-Encoding is not supported. Store it without one, or as gzip, deflate or br, then retry.',
  unsupported_format:
    'The image’s format is not supported (HEIC, AVIF, SVG and others). Convert it to JPEG or PNG, then retry.',
  worker_crashed:
    'The process that classified this image died three times. Drop or replace the image, and please report it.',
} as const;
