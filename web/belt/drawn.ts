/**
 * Pictures that come and go by the hundred, drawn on canvases: what a browser decodes for an `img` stays in its caches, up to
 * hundreds of megabytes, while a canvas goes with its element.
 */
import { picture } from '../shared/api.ts';

export async function drawnPicture(
  imageKey: string,
  side: 192 | 1024,
  signal: AbortSignal,
): Promise<HTMLCanvasElement> {
  const bitmap = await createImageBitmap(await picture(imageKey, side, signal));
  if (signal.aborted) bitmap.close();
  signal.throwIfAborted();
  const canvas = document.createElement('canvas');
  canvas.width = bitmap.width;
  canvas.height = bitmap.height;
  canvas.getContext('bitmaprenderer')!.transferFromImageBitmap(bitmap);
  return canvas;
}

export function copyOf(canvas: HTMLCanvasElement): HTMLCanvasElement {
  const copy = document.createElement('canvas');
  copy.width = canvas.width;
  copy.height = canvas.height;
  copy.getContext('2d')!.drawImage(canvas, 0, 0);
  return copy;
}
