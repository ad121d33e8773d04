/** Codes of errors that speak of models, training and what a command was asked for. */

export const modelCodes = {
  belt_model_unavailable:
    'The model of a belt cannot be opened, and its images wait for it; the message says why. Mend that, or choose another model for the belt with `visionscale model use`.',
  checksum_mismatch:
    'The file is damaged, not the expected one, or not that of an earlier pull; nothing was installed. The message says which, and what to do.',
  classifier_closed: 'The command was ending while an image was in flight. Run it again.',
  decoder_unavailable: 'Images cannot be decoded: the package sharp does not load. Run `visionscale doctor`.',
  demo_running:
    'Another demo is running in this data directory or on the same servers. Wait until it ends, or use others.',
  device_unavailable:
    'The `--device` is missing, or cannot run this model. Install its driver, or use `--device cpu`.',
  disk_full:
    'The disk of the model store, an export, a result file or a training run is full or nearly full. Free some space, or use another disk.',
  download_failed:
    'A download failed. Behind a proxy set `HTTPS_PROXY`; or fetch the file elsewhere and use `--from`.',
  download_too_large: 'The download is larger than the expected file. Check the address given with `--from`.',
  engine_unavailable:
    'The engine’s package does not load, or cannot run this model. Choose another `--engine`.',
  hub_refused:
    'The Hugging Face hub does not give this model to everybody: it is gated or private. Accept its terms on its page, and set `HF_TOKEN`.',
  labels_mismatch:
    'The model has more or fewer outputs than labels. Give one label for each output, in order.',
  labels_missing:
    'There is no label file next to the weights. Add `labels.txt` with one label per line, or use `--labels`.',
  model_active: 'This is the active model. Make another one active first, or use `--force`.',
  model_ambiguous: 'Several digests begin with these digits. Give more digits, or the name.',
  model_below_agreement:
    'The quantised model disagrees with its parent too often. Quantise with other images, or use `--force`.',
  model_bundled: 'The bundled model cannot be removed. Make another one active instead.',
  model_exists:
    'The store already has another model with this name and version. Choose another name, or remove it first.',
  model_invalid:
    'A model file cannot be read, or does not work. Download or export it again; the message says what is wrong.',
  model_not_found: 'There is no such model or file. `visionscale model list` lists the models.',
  model_not_published:
    'The model is not in the database, or its weights not in the store. Run `visionscale model publish` on a host that has it.',
  model_unsafe: 'The .pth file would run code, so it was refused. Save only its state dict in PyTorch.',
  models_unwritable: 'The model store is not writable. Choose a writable directory with `--models`.',
  no_images:
    'The pipeline has no images that models could be compared on. Classify some with `--ingest store`, or upload them.',
  no_model: 'No model is chosen. Run `visionscale model pull squeezenet1_1`, or choose one with `--model`.',
  worker_crashed: 'The process that decodes and classifies died. It is restarted, and the image is retried.',
  worker_unavailable:
    'The process that decodes and classifies could not start. visionscale keeps trying; the message says why.',
} as const;

export const imageCodes = {
  corrupt: 'The image is damaged. If a viewer shows it, save it again as JPEG or PNG.',
  crashes_process: 'Decoding the image crashes the process. Save it again, and please report it.',
  empty: 'The file is empty. Copy it again.',
  not_an_image: 'The content is not an image, whatever the file name says. Leave the file out.',
  too_large: 'The file is larger than `VISIONSCALE_MAX_IMAGE_BYTES`. Save it smaller, or raise the limit.',
  too_many_pixels:
    'The image has more pixels than `VISIONSCALE_MAX_IMAGE_PIXELS`. Scale it down, or raise the limit.',
  too_slow:
    'The image took more CPU time than `--image-timeout`. Save it as JPEG or PNG, or raise the limit.',
  truncated: 'The file is cut off before its last pixel. Copy it again.',
  unreadable: 'The file cannot be read, or changed while it was read. Check its permissions, and try again.',
  unsupported_format: 'The format is not supported (HEIC, AVIF, SVG and others). Convert it to JPEG or PNG.',
} as const;

export const learningCodes = {
  another_pipeline: 'The folder was exported from another pipeline. Give its name with `--pipeline`.',
  checkpoint_invalid:
    'The checkpoint of the interrupted training run does not match. Train without `--resume`, or with the same settings as before.',
  dataset_changed: 'Images changed while they were in use. Run the command again when nothing writes there.',
  dataset_invalid: 'The folders cannot be used for training or evaluation. The message says which, and why.',
  export_invalid: 'The index of an export was changed or cut off. Restore it, or export again.',
  image_unknown: 'The pipeline has no image with this key. `visionscale results` shows the keys.',
  label_invalid: 'A label is one line of text without leading or trailing spaces. Choose another.',
  label_unknown:
    'The model has no such label; nothing was recorded. Correct it, or add `--new` for a new class.',
  no_corrections:
    'There are no corrected images to train on. Export some, sort them, and run `visionscale correct`.',
  parent_unsuitable:
    'Training cannot start from this model: it must have float32 weights and end in a linear layer.',
  training_diverged: 'The loss became NaN or infinite. Try another `--seed`, or fewer classes.',
  training_invalid: 'Training is not possible with these settings. The message names them.',
  unknown_classes:
    'Some folders are not named after labels of the model. Rename them, or use `--skip-unknown`.',
} as const;

export const commandCodes = {
  already_recorded: 'The message is already recorded. `results` and `dead-letters list` show its outcome.',
  bench_failed: 'An image of the benchmark could not be classified. The message says why.',
  bins_changed:
    'Somebody else has changed the bins since you opened them. Look at what is in force, and change that.',
  bins_invalid: 'The rules have errors; nothing was changed. `visionscale bins --help` shows an example.',
  bins_misfit:
    'The bins in force name labels that the model does not have. Apply bins that fit it, or switch anyway with `--force`.',
  bins_unavailable: 'The rules file cannot be read. Use a YAML or JSON file of at most 4 MiB.',
  bins_unknown_labels: 'The rules name labels that the model does not have. Correct them, or use `--force`.',
  bins_unreadable: 'The rules in force were written by a newer version. Upgrade visionscale on this host.',
  cannot_listen: '`serve` cannot use its address or port. Choose another `--port` or `--host`.',
  cannot_write:
    'A result file, or the output itself, cannot be written. Choose another path; the message says what is wrong with this one.',
  child_failed: 'A process started by `demo` or `up` exited. Its last lines are printed.',
  dead_letter_missing:
    'There is no dead letter with this number. `dead-letters list --state all` lists all of them.',
  failed: 'The server could not classify the image and gave no code. Check its log.',
  folder_gone: 'The watched folder is gone or was replaced. Mount its drive, and start `watch` again.',
  gave_up:
    'A server was away for longer than `--give-up-after`. Nothing is lost: run the command again when it is back.',
  interrupted: 'You stopped the command (Ctrl-C or SIGTERM). Run it again. (Exit code 130.)',
  metrics_unavailable:
    'The metrics port is in use. Give each process on a host its own `--metrics-port`; 0 picks a free one.',
  mode_conflict: 'Some consumers of the pipeline use `--group`, others do not. Use one way.',
  no_bins: 'The pipeline has no rules, or not this version. `visionscale bins list` lists the versions.',
  no_former: 'There are no previous model or bins to go back to. Choose one by name.',
  no_images: 'There are no images to classify. Choose a directory that has some.',
  no_prediction: 'The image has no prediction. `visionscale results` lists the keys that have one.',
  no_result:
    'The server accepted the image, but no result came within 5 minutes. Check with `visionscale status` that a consumer is running.',
  no_such_code: 'No dead letter has this code. The message lists the codes in use.',
  node_too_old: 'This Node is too old. Install Node 20.20 or newer.',
  not_built: 'The program is not compiled. Run `npm run build`.',
  not_up: 'Nothing is running in this data directory. Run `visionscale up`.',
  package_missing: 'An optional package is missing. `doctor` says what it is for and how to install it.',
  server_tls:
    'No encrypted connection to the `--server` came about: the message says what is wrong with its certificate.',
  server_unreachable: 'The `--server` does not answer. Check the address, and that `serve` is running there.',
  stalled:
    'Messages waited, nothing was recorded for `--stall-timeout`, and no cause is known. The supervisor restarts the consumer; if it happens twice, please report its last lines.',
  starting: '`up` is still starting. Wait, and try again.',
  still_up: '`up` is stopping, but still draining. Wait, or end it with the printed command.',
  up_already:
    'Another `up` is running in this data directory. Stop it with `visionscale up --stop`, or use another `--data-dir`.',
  up_elsewhere: '`up` is running on another host or in another container. Stop it there.',
  usage: 'Flags, arguments or settings are wrong. The message lists every fault. (Exit code 2.)',
  watch_limit:
    'The system cannot watch that many folders. Raise fs.inotify.max_user_watches, or use `watch --poll 1s`.',
} as const;
