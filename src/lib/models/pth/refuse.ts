/** The two ways in which a .pth file is refused: it wants to run something, or it is not what it should be. */
import { VisionscaleError } from '../../base/errors.ts';

/** For what a state dict of weights never needs. Nothing of it has been run: there is nothing that could run it. */
export function unsafe(what: string): VisionscaleError {
  return new VisionscaleError(
    `the .pth file asks for ${what}; only plain tensors are read, so it was refused`,
    {
      code: 'model_unsafe',
      hint:
        'Do not load this file with other programs unless you trust its maker. If you do, load it in PyTorch and write\n' +
        'torch.save(model.state_dict(), "weights.pth"), which holds tensors only.',
    },
  );
}

/** For a file that is damaged, too large, or no state dict. */
export function malformed(
  what: string,
  hint = 'It must be a state dict as torch.save writes it. Was the file downloaded completely?',
): VisionscaleError {
  return new VisionscaleError(`the .pth file cannot be read: ${what}`, { code: 'model_invalid', hint });
}

/** The way that every network can go. */
export const exportLine =
  'torch.onnx.export(model.eval(), torch.zeros(1, 3, 224, 224), "model.onnx", external_data=False)';

/** For a file that holds the weights of SqueezeNet in a form that only PyTorch can open. */
export const stateDictLine = 'torch.save(model.state_dict(), "weights.pth")';

/** For torch.save(model): its classes are code that this program does not have. */
export function wholeModel(className: string): VisionscaleError {
  return malformed(
    `it holds a whole model (${className}) as torch.save(model) writes it, not its weights`,
    `Where you trust its maker, load it in PyTorch and save the weights: ${stateDictLine}\n` +
      `(of a squeezenet1_1), or export the network: ${exportLine}`,
  );
}
