import { pipelineSuite } from './pipeline.ts';

pipelineSuite('the pipeline, embedded', () => ({}));
