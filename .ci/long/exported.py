"""Exports classifiers with random weights, and holds visionscale's answers against the library's own preprocessing and onnxruntime.

exported.py WORK PHOTOGRAPHS [NAME…]: prints a table; exits 1 where an answer differs by more than 0.0001 (shares of 1), where the
likeliest class is another, or where what cannot be done is not refused by name.
"""
import json
import os
import re
import shutil
import subprocess
import sys
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import Callable, Optional

os.environ.update(TF_CPP_MIN_LOG_LEVEL='3', CUDA_VISIBLE_DEVICES='', HF_HUB_OFFLINE='1', KERAS_BACKEND='tensorflow')
warnings.filterwarnings('ignore')

import numpy as np
import onnx
import onnxruntime
from PIL import Image

work, photographs = Path(sys.argv[1]), Path(sys.argv[2])
only = set(sys.argv[3:])
binary = Path(__file__).resolve().parents[2] / 'bin' / 'visionscale.js'
pictures = sorted(photographs.glob('*.JPEG'))[::20]
tolerance = 1e-4
classes = 1000
labels = [f'class {i}' for i in range(classes)]


@dataclass
class Exported:
    """What someone has in hand: files, and what they know of the preprocessing."""
    name: str
    of: str
    # What `model add` is given: a file or a directory, and flags.
    path: Path
    flags: list = field(default_factory=list)
    # One image as the library prepares it, for the exported file itself; absent where it must be refused.
    prepare: Optional[Callable[[Image.Image], np.ndarray]] = None
    refused: str = ''
    # The features before the last layer, by the library itself, of what `prepare` returns; absent: not trained on.
    features: Optional[Callable[[np.ndarray], np.ndarray]] = None
    untrainable: str = ''
    tolerance: float = tolerance


def visionscale(*words, fails=False):
    done = subprocess.run(['node', binary, *map(str, words)], capture_output=True, text=True)
    if fails:
        return done.returncode, done.stderr
    if done.returncode != 0:
        raise RuntimeError(f'visionscale {" ".join(map(str, words))}: {done.stderr.strip()}')
    return done.stdout


def opened(path):
    return Image.open(path).convert('RGB')


def directory(name):
    path = work / name
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir(parents=True)
    (path / 'labels.txt').write_text('\n'.join(labels) + '\n')
    return path


def softmax(scores):
    scores = scores.astype(np.float64).reshape(-1)
    if abs(scores.sum() - 1) < 1e-3 and scores.min() >= 0:
        return scores
    powers = np.exp(scores - scores.max())
    return powers / powers.sum()


def session(path):
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 2
    return onnxruntime.InferenceSession(str(path), options, providers=['CPUExecutionProvider'])


def answer(opened_session, values):
    first, *idle = opened_session.get_inputs()  # Keras leaves inputs behind that nothing takes
    return opened_session.run(None, {first.name: values, **{one.name: np.zeros(one.shape, np.float32) for one in idle}})[0]


# PyTorch


def settled(network, prepare):
    """Random weights answer every picture alike: the statistics of the normalisations and the scale of the last layer come from pictures,
    so that the scores tell pictures apart as those of a trained network do, and a wrong pixel shows."""
    import torch
    batch = torch.stack([torch.as_tensor(prepare(opened(path)))[0] for path in pictures[:8]])
    network.train()
    for module in network.modules():
        kind = type(module).__name__
        if 'Drop' in kind or 'Stochastic' in kind:
            module.eval()
        if isinstance(module, torch.nn.modules.batchnorm._BatchNorm):
            module.reset_running_stats()
            module.momentum = None
    with torch.no_grad():
        network(batch)
        network.eval()
        last, taken = last_layer(network, batch)
        scores = torch.nn.functional.linear(taken, last.weight.flatten(1))
        scale = 3 / (scores - scores.mean(0)).std()
        last.weight.mul_(scale)
        if last.bias is not None:
            last.bias.copy_(-scores.mean(0) * scale)
    return network


def last_layer(network, batch):
    """The last linear layer, and what it takes of a batch: for a convolution the mean over the positions."""
    import torch
    seen = []
    hooks = [
        module.register_forward_hook(lambda module, taken, _: seen.append((module, taken[0])))
        for module in network.modules()
        if isinstance(module, (torch.nn.Linear, torch.nn.Conv2d))
    ]
    with torch.no_grad():
        network(batch)
    for hook in hooks:
        hook.remove()
    last, taken = seen[-1]
    return last, taken.mean((2, 3)) if taken.dim() == 4 else taken


def torch_features(network):
    import torch
    return lambda values: last_layer(network, torch.as_tensor(values))[1][0].numpy()


def to_onnx(network, path, side, new=False, free=('N',), example=None):
    """`new`: by PyTorch's present default, which puts the weights into a second file. `free`: what the graph leaves open."""
    import torch
    example = torch.zeros(1, 3, side, side) if example is None else example
    if new:
        torch.onnx.export(network, (example,), path, dynamo=True, verbose=False)
        return
    axes = {axis: name for axis, name in enumerate(['N', '', 'H', 'W']) if name in free}
    torch.onnx.export(
        network, (example,), path, dynamo=False, input_names=['input'], output_names=['output'],
        dynamic_axes={'input': axes, 'output': {0: 'N'}} if axes else None,
    )


def of_torchvision(name, weights, flags, new=False):
    import torch
    import torchvision
    torch.manual_seed(1)
    transforms = torchvision.models.get_weight(weights).transforms()
    prepare = lambda image: transforms(image)[None].numpy()
    network = settled(torchvision.models.get_model(name), prepare)
    path = directory(name) / f'{name}.onnx'
    to_onnx(network, path, transforms.crop_size[0], new)
    return Exported(name, 'torchvision', path, flags, prepare, features=torch_features(network))


def of_timm(name, file='config.json', config=None, new=False):
    import timm
    import torch
    torch.manual_seed(1)
    network = timm.create_model(name, pretrained=False)
    written = {**network.pretrained_cfg, **(config or {})}
    resolved = timm.data.resolve_data_config(written)
    transforms = timm.data.create_transform(**resolved, is_training=False)
    prepare = lambda image: transforms(image)[None].numpy()
    settled(network, prepare)
    base = directory(name)
    side = resolved['input_size'][1]
    to_onnx(network, base / 'model.onnx', side, new)
    (base / 'config.json').write_text(json.dumps({'architecture': name, 'num_classes': classes, 'pretrained_cfg': written}, default=str))
    return Exported(name, 'timm', base, [], prepare, features=torch_features(network))


def of_transformers(name, kind, settings, **config):
    """The layout of transformers.js: config.json, preprocessor_config.json, onnx/model.onnx. Prepared by Pillow, as the other libraries do;
    the torchvision backend of transformers resizes tensors, and some values are one level off."""
    import torch
    import transformers
    torch.manual_seed(1)
    id2label = dict(enumerate(labels))
    made = getattr(transformers, kind + 'Config')(id2label=id2label, label2id={v: k for k, v in id2label.items()}, **config)
    network = getattr(transformers, kind + 'ForImageClassification')(made)

    class Logits(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.network = network

        def forward(self, pixel_values):
            return self.network(pixel_values=pixel_values).logits

    by_pillow = getattr(transformers, kind + 'ImageProcessorPil')(**settings)
    prepare = lambda image: np.asarray(by_pillow(image, return_tensors='np')['pixel_values'], dtype=np.float32)
    logits = settled(Logits(), prepare)
    base = directory(name)
    (base / 'labels.txt').unlink()
    (base / 'onnx').mkdir()
    made.save_pretrained(base)
    getattr(transformers, kind + 'ImageProcessor')(**settings).save_pretrained(base)
    to_onnx(logits, base / 'onnx' / 'model.onnx', prepare(opened(pictures[0])).shape[-1])
    return Exported(name, 'transformers', base, [], prepare, features=torch_features(logits))


# Keras


def of_keras(name, build, flags, prepare):
    """Batch, row, column, channel, as Keras exports it through tf2onnx."""
    import tensorflow as tf
    tf.keras.utils.set_random_seed(1)
    network = build(tf.keras.applications)
    batch = np.concatenate([prepare(opened(path)) for path in pictures[:8]])
    norms = [layer for layer in network.layers if isinstance(layer, tf.keras.layers.BatchNormalization)]
    for layer in norms:
        layer.momentum = 0.0
    network(batch, training=True)
    last = network.layers[-1]
    up_to = tf.keras.Model(network.input, last.input)
    kernel, _ = last.get_weights()
    scores = up_to(batch, training=False).numpy() @ kernel
    scale = 3 / (scores - scores.mean(0)).std()
    last.set_weights([kernel * scale, -scores.mean(0) * scale])
    path = directory(name) / f'{name}.onnx'
    network.export(path, format='onnx', verbose=False)
    return Exported(name, 'Keras', path, flags, prepare, features=lambda values: up_to(values, training=False).numpy()[0])


def keras_pixels(image):
    """Keras leaves the resizing to others: here as Pillow's antialiased bilinear, both sides."""
    return resized(image)[None].astype(np.float32)


def resized(image):
    """As torchvision's Resize(256) and CenterCrop(224)."""
    import torchvision.transforms.functional as functional
    return np.asarray(functional.center_crop(functional.resize(image, 256, antialias=True), 224))


# The same networks in other forms


def other_forms():
    import torch
    import torchvision
    torch.manual_seed(1)
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    transforms = torchvision.models.get_weight('ResNet18_Weights.IMAGENET1K_V1').transforms()
    prepare = lambda image: transforms(image)[None].numpy()
    network = settled(torchvision.models.resnet18(), prepare)
    known = torch_features(network)

    def exported(name, made, prepare, flags=(), features=known, **options):
        path = directory(name) / f'{name}.onnx'
        to_onnx(made.eval(), path, 224, **options)
        return Exported(name, 'torchvision', path, list(flags), prepare, features=features)

    def normal(values):
        return ((torch.as_tensor(values).float() / 255 - mean) / std).permute(0, 3, 1, 2).numpy()

    class Pixels(torch.nn.Module):
        """Takes pixels as a camera gives them."""
        def __init__(self):
            super().__init__()
            self.network = network

        def forward(self, pixels):
            return self.network(((pixels.float() / 255 - mean) / std).permute(0, 3, 1, 2))

    class BlueFirst(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.network = network

        def forward(self, image):
            return self.network(image.flip(1))

    class Probabilities(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.network = network

        def forward(self, image):
            return torch.softmax(self.network(image), 1)[:, :, None, None]

    yield exported('fixed-batch', network, prepare, free=())
    free = exported('any-side', network, lambda image: prepare(image)[:, :, 16:208, 16:208], ['--size', 192, '--resize', 256], free=('N', 'H', 'W'))
    yield free
    yield Exported('any-side-untold', 'torchvision', free.path, refused=r'images of any size.*--size')
    pixels = lambda image: resized(image)[None]
    yield exported('uint8', Pixels(), pixels, features=lambda values: known(normal(values)), example=torch.zeros(1, 224, 224, 3, dtype=torch.uint8))
    yield Exported('uint8-normalised', 'torchvision', work / 'uint8' / 'uint8.onnx', ['--preset', 'imagenet'], refused=r'takes uint8.*--preset pixels')
    yield exported('blue-first', BlueFirst(), lambda image: np.ascontiguousarray(prepare(image)[:, ::-1]), ['--bgr'], lambda values: known(np.ascontiguousarray(values[:, ::-1])))
    yield exported('probabilities', Probabilities(), prepare)
    from onnxconverter_common import float16
    path = directory('float16') / 'float16.onnx'
    onnx.save(float16.convert_float_to_float16(onnx.load(work / 'fixed-batch' / 'fixed-batch.onnx')), path)
    yield Exported('float16', 'torchvision', path, [], lambda image: prepare(image).astype(np.float16), untrainable='float16', tolerance=5e-3)

    yield exported('batch-of-8', network, None, free=(), example=torch.zeros(8, 3, 224, 224))
    yield exported('one-channel', torch.nn.Sequential(torch.nn.Conv2d(1, 3, 1), network), None, example=torch.zeros(1, 1, 224, 224))
    yield exported('wide', network, None, example=torch.zeros(1, 3, 224, 320))
    whole = onnx.load(work / 'fixed-batch' / 'fixed-batch.onnx')
    whole.graph.input[0].type.tensor_type.elem_type = onnx.TensorProto.INT8
    path = directory('int8') / 'int8.onnx'
    whole.graph.node.insert(0, onnx.helper.make_node('Cast', ['input'], ['cast'], to=1))
    for node in whole.graph.node[1:]:
        node.input[:] = ['cast' if name == 'input' else name for name in node.input]
    onnx.save(whole, path)
    yield Exported('int8', 'onnx', path, refused='int8')
    base = directory('border')
    shutil.copy(work / 'fixed-batch' / 'fixed-batch.onnx', base / 'model.onnx')
    said = {'input_size': [3, 224, 224], 'mean': [0.5] * 3, 'std': [0.5] * 3, 'crop_mode': 'border'}
    (base / 'config.json').write_text(json.dumps({'pretrained_cfg': said}))
    yield Exported('border', 'timm', base, refused='crop_mode border')
    base = directory('lanczos')
    shutil.copy(work / 'fixed-batch' / 'fixed-batch.onnx', base / 'model.onnx')
    (base / 'preprocessor_config.json').write_text(json.dumps({'size': 224, 'resample': 1}))
    yield Exported('lanczos', 'transformers', base, refused='interpolation lanczos')


refused_forms = {'batch-of-8': '8 images at a time', 'one-channel': '1×224×224', 'wide': 'not as wide as high'}


def every():
    """Functions, so that only what is asked for is made."""
    keras_caffe = np.array([103.939, 116.779, 123.68], dtype=np.float32)
    return {
        'mobilenet_v3_large': lambda: of_torchvision('mobilenet_v3_large', 'MobileNet_V3_Large_Weights.IMAGENET1K_V2', ['--resize', 232], new=True),
        'resnet18': lambda: of_torchvision('resnet18', 'ResNet18_Weights.IMAGENET1K_V1', []),
        'squeezenet1_0': lambda: of_torchvision('squeezenet1_0', 'SqueezeNet1_0_Weights.IMAGENET1K_V1', []),
        'efficientnet_b0': lambda: of_torchvision('efficientnet_b0', 'EfficientNet_B0_Weights.IMAGENET1K_V1', ['--interpolation', 'bicubic'], new=True),
        'convnext_tiny': lambda: of_torchvision('convnext_tiny', 'ConvNeXt_Tiny_Weights.IMAGENET1K_V1', ['--resize', 236], new=True),
        'regnet_y_400mf': lambda: of_torchvision('regnet_y_400mf', 'RegNet_Y_400MF_Weights.IMAGENET1K_V2', ['--resize', 232]),
        'mobilenetv4_conv_small': lambda: of_timm('mobilenetv4_conv_small'),
        'hgnetv2_b0': lambda: of_timm('hgnetv2_b0', new=True),
        'efficientnet_lite0': lambda: of_timm('efficientnet_lite0'),
        'mobilevit_xs': lambda: of_timm('mobilevit_xs'),
        'vit_tiny_patch16_224': lambda: of_timm('vit_tiny_patch16_224'),
        'tf_efficientnet_lite0': lambda: of_timm('tf_efficientnet_lite0', config={'crop_mode': 'squash', 'crop_pct': 1.0}),
        'transformers-mobilevit': lambda: of_transformers(
            'transformers-mobilevit', 'MobileViT', dict(size={'shortest_edge': 288}, resample=2)),
        'transformers-convnext': lambda: of_transformers(
            'transformers-convnext', 'ConvNext', dict(size={'shortest_edge': 224}, crop_pct=0.875, resample=3),
            depths=[1, 1, 2, 1], hidden_sizes=[24, 48, 96, 192], layer_scale_init_value=1.0),
        'transformers-mobilenet_v2': lambda: of_transformers(
            'transformers-mobilenet_v2', 'MobileNetV2',
            dict(size={'shortest_edge': 256}, resample=2, do_center_crop=True, crop_size={'height': 224, 'width': 224})),
        'transformers-vit': lambda: of_transformers(
            'transformers-vit', 'ViT', dict(size={'height': 224, 'width': 224}),
            hidden_size=96, intermediate_size=192, num_hidden_layers=4, num_attention_heads=3),
        'keras-mobilenet_v2': lambda: of_keras(
            'keras-mobilenet_v2', lambda of: of.MobileNetV2(weights=None), ['--preset', 'tf'],
            lambda image: keras_pixels(image) / 127.5 - 1),
        'keras-efficientnetv2b0': lambda: of_keras(
            'keras-efficientnetv2b0', lambda of: of.EfficientNetV2B0(weights=None), [], keras_pixels),
        'keras-resnet50': lambda: of_keras(
            'keras-resnet50', lambda of: of.ResNet50(weights=None), ['--preset', 'caffe'],
            lambda image: np.ascontiguousarray(keras_pixels(image)[..., ::-1]) - keras_caffe),
        'forms': other_forms,
    }


# What visionscale makes of them


def add(it):
    flags = [*it.flags] if (it.path / 'preprocessor_config.json').exists() and not (it.path / 'labels.txt').exists() else it.flags
    return visionscale('model', 'add', it.path, '--name', it.name, '--json', *flags)


def answers_alike(it):
    """The greatest difference over the pictures, in shares of 1, of the five likeliest."""
    file = it.path if it.path.is_file() else next(it.path.rglob('*.onnx'))
    theirs = session(file)
    chosen = work / 'pictures'
    chosen.mkdir(exist_ok=True)
    for path in pictures:
        shutil.copy(path, chosen / path.name)
    lines = visionscale('classify', chosen, '--local', '--model', it.name, '--json').splitlines()
    greatest, confident, others = 0.0, [], 0
    for line in map(json.loads, lines):
        wanted = softmax(answer(theirs, it.prepare(opened(photographs / line['image']))))
        for found in line['top']:
            greatest = max(greatest, abs(found['confidence'] / 100 - wanted[labels.index(found['category'])]))
        others += labels[int(wanted.argmax())] != line['category']
        confident.append(wanted.max())
    assert len(lines) == len(pictures), f'{len(lines)} of {len(pictures)} pictures'
    kinds = len({json.loads(line)['category'] for line in lines})
    return greatest, others, float(np.mean(confident)), kinds


def trained(it):
    """The written model against its own head on the library's features, in parts of its greatest score."""
    folders = work / 'folders'
    if not folders.exists():
        for i, path in enumerate(sorted(photographs.glob('*.JPEG'))[:12]):
            (folders / f'kind {i % 3}').mkdir(parents=True, exist_ok=True)
            shutil.copy(path, folders / f'kind {i % 3}' / path.name)
    name = f'{it.name}-trained'
    words = ('train', folders, '--from', it.name, '--name', name, '--retrain', '--out', work / 'training', '--json')
    if it.untrainable:
        code, said = visionscale(*words, fails=True)
        assert code != 0 and it.untrainable in said, f'not refused: {said}'
        return f'refused: {it.untrainable}'
    visionscale(*words)
    shown = json.loads(visionscale('model', 'show', name, '--json'))
    made = onnx.load(Path(shown['path']) / 'model.onnx')
    held = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in made.graph.initializer}
    weight, bias = held['visionscale.head.weight'], held['visionscale.head.bias']
    # What reads the image was not touched: the new network takes what visionscale gives it.
    ours = session(Path(shown['path']) / 'model.onnx')
    expected_input = ours.get_inputs()[0]
    values = it.prepare(opened(pictures[3]))
    features = it.features(values).reshape(-1)
    weight = weight.reshape(weight.shape[:2])
    wanted = (weight if weight.shape[1] == features.size else weight.T) @ features + bias
    found = answer(ours, as_visionscale(values, expected_input, made)).reshape(-1)
    assert found.size == 3, f'{found.size} classes'
    off = float(np.abs(found - wanted).max() / np.abs(wanted).max())
    assert off < 1e-3, f'the trained model is off by {off:.1e}'
    return f'{features.size} features, {off:.0e}'


def as_visionscale(values, expected, made):
    """The original's input in the form that `model add` gives every network."""
    own = [node for node in made.graph.node if any(name.startswith('visionscale.input.') for name in [*node.input, *node.output])]
    values = values.astype(np.float32)
    if any(node.op_type == 'Transpose' for node in own):
        values = values.transpose(0, 3, 1, 2)
    if any(node.op_type == 'Gather' for node in own):
        values = values[:, ::-1]
    return np.ascontiguousarray(values)


def main():
    made = every()
    rows, failed = [], 0
    for key, make in made.items():
        if only and key not in only:
            continue
        try:
            several = make() if key == 'forms' else [make()]
            for it in several:
                it.refused = it.refused or refused_forms.get(it.name, '')
                row = judged(it)
                failed += row[-1] != 'ok'
                rows.append(row)
                print('| ' + ' | '.join(row) + ' |', flush=True)
        except Exception as error:
            failed += 1
            print(f'| {key} | FAILED: {type(error).__name__}: {str(error)[:600]} |', flush=True)
    print(f'{len(rows)} classifiers, {failed} failed')
    sys.exit(1 if failed else 0)


def judged(it):
    if it.refused:
        code, said = visionscale('model', 'add', it.path, '--name', it.name, *it.flags, fails=True)
        named = code != 0 and re.search(it.refused, said, re.S)
        return [it.name, it.of, 'refused' if code else 'TAKEN', said.strip().split('\n')[0], '', 'ok' if named else 'FAILED']
    try:
        added = json.loads(visionscale('model', 'add', it.path, '--name', it.name, '--json', *it.flags))
        greatest, others, confident, kinds = answers_alike(it)
        said = trained(it) if it.features or it.untrainable else ''
    except Exception as error:
        return [it.name, it.of, '', str(error)[:500].replace('\n', ' '), '', 'FAILED']
    good = greatest <= it.tolerance and others == 0
    return [
        it.name, it.of, '; '.join(added['added']), f'{greatest:.1e} (mean confidence {confident:.2f}, {kinds} classes)', said,
        'ok' if good else f'FAILED: {others} others',
    ]


main()
