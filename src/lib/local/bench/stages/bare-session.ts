/** onnxruntime-node as its own documentation uses it, on one thread: what our own session is compared with. */

export interface BareSession extends AsyncDisposable {
  run(image: Float32Array): Promise<unknown>;
}

export async function openBareSession(weights: Uint8Array, side: number): Promise<BareSession> {
  const { InferenceSession, Tensor } = await import('onnxruntime-node');
  const session = await InferenceSession.create(weights.slice(), {
    intraOpNumThreads: 1,
    interOpNumThreads: 1,
    logSeverityLevel: 4,
  });
  const name = session.inputNames[0]!;
  return {
    run: (image) => session.run({ [name]: new Tensor('float32', image, [1, 3, side, side]) }),
    [Symbol.asyncDispose]: () => session.release(),
  };
}
