/** Codes of dead letters: requests that can never succeed as they are. `visionscale dead-letters list` shows them. */

export const deadLetterCodes = {
  access_denied:
    'The store refused this one image for 15 minutes (`--retry-image-for`) and gave others. Grant the right, then retry.',
  archived:
    'The object lies in a storage tier that cannot be read. Restore it, then `dead-letters retry --code archived`.',
  bad_key:
    'The object’s name cannot be an image key (1 to 1024 bytes of UTF-8, no control characters, no empty, `.` or `..` part). Rename it and send it again.',
  bucket_missing:
    'The bucket of this one image was missing for 15 minutes while other images came. Create it, then retry.',
  bucket_not_allowed:
    'An S3 event names a bucket other than the store’s. Allow it with `consume --buckets`, then retry.',
  corrupt:
    'The file is damaged: it cannot be decoded, or not decompressed. Upload a good one under the same key, then retry.',
  crashes_process:
    'The image was alone at work when its process died, three times. Drop it or replace it, and please report it.',
  empty: 'The file has no bytes. Upload it again, then retry.',
  labels_mismatch:
    'The model has more or fewer outputs than labels. Mend `labels.txt` and add the model again, then retry.',
  model_invalid:
    'The model answered with values that are no scores. Check it with `visionscale model verify`, then retry.',
  moved_by_hand: 'Somebody moved the message here with `dead-letters add`. Its reason is in the letter.',
  no_credentials:
    'No credentials were found for this one image’s bucket for 15 minutes while other images came. Set them, then retry.',
  not_an_image:
    'The content is not an image, whatever its name says. Replace it and retry, or drop the letter.',
  not_found:
    'No object has this key, two seconds (`--not-found-grace`) after its message. Upload it, then `dead-letters retry --code not_found`.',
  not_recordable:
    'The database refuses the outcome of this one message. The letter quotes the server; mend what it names, then retry.',
  outside_store:
    'An S3 event names an object outside the store’s folder. Narrow the event rule, or allow the bucket with `consume --buckets`.',
  refused:
    'The store will not give out this object: its encryption key is disabled or missing, or it is withheld. Enable the key or upload it again, then retry.',
  too_large:
    'The image has more bytes than `VISIONSCALE_MAX_IMAGE_BYTES`. Save it smaller or raise the limit, then retry.',
  too_many_pixels:
    'The image has more pixels than `VISIONSCALE_MAX_IMAGE_PIXELS`. Scale it down or raise the limit, then retry.',
  too_many_requests:
    'The message asks for more images than `--message-requests` allows. Send fewer at a time, or raise it, then retry.',
  too_slow:
    'Decoding and classifying took more processor time than `--image-timeout`. Save it as JPEG or PNG, or allow more, then retry.',
  truncated: 'The file ends before its pixels do: a copy was cut off. Upload it whole, then retry.',
  unavailable:
    'The store failed for this one image for 15 minutes and gave others. Look at the store’s log, then retry.',
  unreadable_message:
    'The message is none of the forms that [messages.md](messages.md) describes. Correct its sender; drop the letter.',
  unsupported_encoding:
    'The object is stored with a Content-Encoding that is not read. Store it without, or as gzip, deflate or br, then retry.',
  unsupported_format:
    'It is an image, in a format that is not read (HEIC, AVIF, SVG and others). Convert it to JPEG or PNG, then retry.',
  worker_crashed:
    'The process that classified it died three times, with this image. Drop it or replace it, and please report it.',
} as const;
