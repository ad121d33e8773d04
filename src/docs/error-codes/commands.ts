/** Codes of errors that speak of models, training and what a command was asked for. */

export const modelCodes = {
  checksum_mismatch:
    'A file is damaged, or not the one that was meant; nothing was installed. Try again, or name a file you trust with `--sha256`.',
  classifier_closed: 'The command was ending while an image was on its way. Run it again.',
  decoder_unavailable: 'Images cannot be decoded: the package sharp does not load. Run `visionscale doctor`.',
  demo_running:
    'Another demo runs in this data directory, or with the same servers. Wait until it has ended, or name another place.',
  device_unavailable:
    'The `--device` is not there, or cannot run this model. Install its driver, or use `--device cpu`.',
  disk_full:
    'The disk of the model store, of an export or of a training is full, or has too little room. Make room, or name a place on another disk.',
  download_failed:
    'A download failed. Behind a proxy set `HTTPS_PROXY`; or fetch the file elsewhere and use `--from`.',
  download_too_large:
    'The download is larger than the file that was meant. Check the address given with `--from`.',
  engine_unavailable:
    'The engine’s package does not load, or does not run this model. Choose another `--engine`.',
  labels_mismatch:
    'The model has more or fewer outputs than there are labels. Give one label for each output, in order.',
  labels_missing:
    'There is no file of labels beside the weights. Add `labels.txt`, one label a line, or use `--labels`.',
  model_active: 'The active model is not removed without being told. Choose another first, or use `--force`.',
  model_ambiguous: 'The digits begin several digests. Give more of them, or the name.',
  model_below_agreement:
    'The quantised model differs too often from its parent. Quantise with other images, or use `--force`.',
  model_bundled: 'The bundled model cannot be removed. Make another one active instead.',
  model_exists:
    'The store has another model of this name and version. Choose another name, or remove it first.',
  model_invalid:
    'A file of the model cannot be read, or does not work. Download or export it again; the message says what is wrong.',
  model_not_found: 'There is no such model or file. `visionscale model list` shows what there is.',
  model_not_published:
    'The pipeline’s model is not in the database. Run `visionscale model publish` on a host that has it.',
  model_unsafe: 'The .pth file would run code, and was refused. Save only its state dict in PyTorch.',
  models_unwritable: 'The model store cannot be written. Name a directory that can be with `--models`.',
  no_model: 'No model is chosen. Run `visionscale model pull imagenet`, or name one with `--model`.',
  worker_crashed:
    'The process that decodes and classifies died. It is started anew, and the image tried again.',
  worker_unavailable:
    'The process that decodes and classifies could not be started. It is tried again; the message says why.',
} as const;

export const imageCodes = {
  corrupt: 'The image is damaged. If a viewer shows it, save it again as JPEG or PNG.',
  crashes_process: 'Decoding the image ends its process. Save it again, and please report it.',
  empty: 'The file has no bytes. Copy it again.',
  not_an_image: 'The content is not an image, whatever its name says. Leave the file out.',
  too_large:
    'The file has more bytes than `VISIONSCALE_MAX_IMAGE_BYTES`. Save it smaller, or raise the limit.',
  too_many_pixels:
    'The image has more pixels than `VISIONSCALE_MAX_IMAGE_PIXELS`. Scale it down, or raise the limit.',
  too_slow:
    'The image took more processor time than `--image-timeout`. Save it as JPEG or PNG, or allow more.',
  truncated: 'The file ends before its pixels do. Copy it again.',
  unreadable: 'The file cannot be read, or changed while it was read. Check its rights, and try again.',
  unsupported_format: 'The format is not read (HEIC, AVIF, SVG and others). Convert it to JPEG or PNG.',
} as const;

export const learningCodes = {
  another_pipeline: 'The folder was exported from another pipeline. Name it with `--pipeline`.',
  checkpoint_invalid:
    'What an interrupted training left does not fit. Train without `--resume`, or with the former settings.',
  dataset_changed: 'Images changed while they were in use. Run the command again when nobody writes there.',
  dataset_invalid: 'The folders cannot be learned from or judged. The message says what is wrong with which.',
  export_invalid: 'The index of an export was changed or cut off. Restore it, or export once more.',
  image_unknown: 'The pipeline knows no image of this key. `visionscale results` shows the keys.',
  label_invalid: 'A label is one line of text without spaces at its ends. Choose another.',
  label_unknown:
    'The model has no such label; nothing was recorded. Correct it, or add `--new` for a new class.',
  no_corrections:
    'There are no corrected images to train with. Export some, sort them, and run `visionscale correct`.',
  parent_unsuitable: 'Nothing can be trained from this model. Name a SqueezeNet 1.1 with float32 weights.',
  training_diverged: 'The loss is no number any more. Try another `--seed`, or fewer classes.',
  training_invalid: 'These settings cannot be trained. The message names them.',
  unknown_classes: 'Folders are not named as labels of the model. Rename them, or use `--skip-unknown`.',
} as const;

export const commandCodes = {
  already_recorded:
    'The message is recorded already. `results` and `dead-letters list` show what became of it.',
  bench_failed: 'An image of the benchmark could not be classified. The message says why.',
  bins_invalid: 'The rules have faults, and none took effect. `visionscale bins --help` shows an example.',
  bins_misfit:
    'The bins in force name labels that the model lacks. Apply bins that fit it, or switch anyway with `--force`.',
  bins_unavailable: 'The file of rules cannot be read. Name a YAML or JSON file of at most 4 MiB.',
  bins_unknown_labels: 'The rules name labels that the model lacks. Correct them, or use `--force`.',
  bins_unreadable: 'The rules in force were written by a newer version. Update visionscale on this host.',
  cannot_listen: '`serve` cannot use its address or port. Choose another `--port` or `--host`.',
  cannot_write: 'A result file cannot be written. Choose another place with `--out`.',
  child_failed: 'A process that `demo` or `up` started has ended. Its last lines are printed.',
  dead_letter_missing:
    'There is no dead letter of this number. `dead-letters list --state all` shows what there is.',
  failed: 'The server could not classify the image and gave no code. Its log says more.',
  folder_gone: 'The watched folder is gone, or replaced. Mount its drive, and start `watch` again.',
  gave_up:
    'A server was away for longer than `--give-up-after` allows. Nothing is lost: when it is back, run the command again.',
  interrupted: 'You stopped the command (Ctrl-C or SIGTERM). Run it again. (Exit code 130.)',
  metrics_unavailable:
    'The metrics’ port is taken. Choose another `--metrics-port` for each process of a host; 0 takes a free one.',
  mode_conflict: 'The pipeline is consumed with `--group` by some and by partition by others. Use one way.',
  no_bins: 'The pipeline has no rules, or not this version. `visionscale bins list` shows what there is.',
  no_former: 'There is no former model, or there are no former bins, to go back to. Choose one by name.',
  no_images: 'There is no image to classify. Name a directory with images.',
  no_prediction: 'The image has no prediction. `visionscale results` shows the keys there are.',
  no_result:
    'The server took the image, but no result came in 5 minutes. Check with `visionscale status` that a consumer runs.',
  no_such_code: 'No dead letter has this code. The message names the codes there are.',
  node_too_old: 'This Node is too old. Install Node 20.20 or newer.',
  not_built: 'The program is not compiled. Run `npm run build`.',
  not_up: 'Nothing is up in this data directory. Run `visionscale up`.',
  package_missing: 'An optional package is missing. `doctor` prints what it is for and how to get it.',
  server_unreachable: 'The `--server` does not answer. Check the address, and that `serve` runs there.',
  stalled:
    'Messages waited, nothing was recorded for `--stall-timeout`, and no cause is known. A supervisor starts it again; if it happens twice, please report its last lines.',
  starting: 'What is starting is not up yet. Wait, and try again.',
  still_up: 'What was told to stop is still draining. Wait, or end it with the line that is printed.',
  up_already:
    'Another `up` runs in this data directory. `visionscale up --stop` stops it; `--data-dir` names another place.',
  up_elsewhere: 'It is up on another host or in another container. Stop it there.',
  usage: 'Flags, arguments or settings are wrong. The message lists every fault. (Exit code 2.)',
  watch_limit:
    'The system does not watch that many folders. Raise fs.inotify.max_user_watches, or use `watch --poll 1s`.',
} as const;
